package collector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Sink keeps what is measured: each batch whole or not at all.
type Sink interface {
	Append(ctx context.Context, b record.Batch) error
}

// Progress is told how a benchmark goes. Add may be called from several
// goroutines.
type Progress interface {
	// Begin starts a part of the work, which is so many of a unit.
	Begin(what string, total int64, of Unit)
	// Add says that so many more are done.
	Add(n int64)
	// End ends the part.
	End()
	// Note says something that people should know.
	Note(line string)
}

// Unit is what a part of the work is counted in.
type Unit string

// Loads are not counted in bytes: what is between them would make a rate of theirs
// look like a loader's.
const (
	Bytes  Unit = "bytes"
	Loads  Unit = "loads"
	Trials Unit = "trials"
)

// Host is what Run needs to know of the program around it.
type Host struct {
	WorkerCommand []string // the native worker's command line
	StoreCommand  []string // that of sllmq's own store, before its flags
	Version       string   // of this program
	CommandLine   string   // recorded with the runs
}

// Result is how a benchmark went.
type Result struct {
	CollectID   string
	Loads       int // that ended, well or not, warm-ups counted
	Failed      int
	Interrupted bool
}

// Run carries a plan out: prepares the checkpoints and runs every arm's
// sessions, appending to sink as each load ends. When ctx ends the load under
// way is given up, what was measured is kept, and the runs are marked
// interrupted; that is no error. An error is what keeps the benchmark from
// going on.
func Run(ctx context.Context, p Plan, sink Sink, progress Progress, host Host) (Result, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Result{}, fmt.Errorf("make an id: %w", err)
	}
	b := &benchmark{plan: p, sink: sink, progress: progress, host: host, result: Result{CollectID: id.String()}, generations: map[string]generation{}}
	for _, n := range p.Notes {
		progress.Note(n)
	}
	err = b.prepare(ctx)
	if err == nil {
		err = b.run(ctx)
	}
	if ctx.Err() != nil {
		b.result.Interrupted = true
		if errors.Is(err, ctx.Err()) {
			err = nil
		}
	}
	return b.result, err
}

// benchmark is a plan being carried out.
type benchmark struct {
	plan     Plan
	sink     Sink
	progress Progress
	host     Host
	machine  record.Machine
	gpus     *machine.GPUs // that the arms name
	result   Result

	generations map[string]generation // the first of each model by each engine on each device

	toldUnlocked bool // that a pool is not page-locked
}

// generation is what a load gave, and which one.
type generation struct {
	tokens string // their digest
	run    string
	seq    int64
}

func (b *benchmark) prepare(ctx context.Context) error {
	for _, c := range b.plan.Checkpoints {
		if c.MissingBytes == 0 {
			continue
		}
		b.progress.Begin(fmt.Sprintf("preparing %s %s", c.Model.Name, c.Format), c.MissingBytes, Bytes)
		err := c.Prepare(ctx, b.progress.Add)
		b.progress.End()
		if err != nil {
			return err
		}
	}
	return b.tellOverflows()
}

// tellOverflows says it where a conversion made values infinite: such a model
// loads as fast as any and computes nonsense.
func (b *benchmark) tellOverflows() error {
	for _, c := range b.plan.Checkpoints {
		tensors, err := checkpoint.Overflows(c.Dirs[0])
		if err != nil {
			return err
		}
		var values int64
		for _, n := range tensors {
			values += n
		}
		if values > 0 {
			b.progress.Note(fmt.Sprintf("%s %s: %d values in %d tensors are infinite in %s; they were too large for it (--dtype bfloat16 holds them)",
				c.Model.Name, c.Format, values, len(tensors), c.DType))
		}
	}
	return nil
}

func (b *benchmark) run(ctx context.Context) error {
	var err error
	if b.machine, err = machine.Describe(ctx, b.plan.Config.StoragePath); err != nil {
		return err
	}
	if b.gpus, err = openGPUs(ctx, b.plan.Config.devices()); err != nil {
		return err
	}
	defer func() { _ = b.gpus.Close() }() // they were only looked at
	for _, group := range b.plan.Groups {
		if err := b.runGroup(ctx, group); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// runGroup runs the arms of a group, taking turns by session.
func (b *benchmark) runGroup(ctx context.Context, group []Arm) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	runs := make([]*run, len(group))
	batch := record.Batch{Machines: []record.Machine{b.machine}}
	for i, arm := range group {
		if runs[i], err = b.newRun(arm); err != nil {
			return err
		}
		batch.Runs = append(batch.Runs, runs[i].row)
	}
	if err := b.append(batch); err != nil {
		return err
	}
	// However the group ends, its runs are ended.
	defer func() {
		var ends record.Batch
		for _, r := range runs {
			ends.RunEnds = append(ends.RunEnds, r.end(ctx, err))
		}
		if appendErr := b.append(ends); appendErr != nil {
			err = errors.Join(err, appendErr)
		}
	}()
	for s := range b.plan.Config.Sessions {
		for _, r := range runs {
			if err := r.session(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// append hands rows over. It is not given up when the benchmark is
// interrupted: what was measured is kept.
func (b *benchmark) append(rows record.Batch) error {
	if err := b.sink.Append(context.Background(), rows); err != nil {
		return fmt.Errorf("keep what was measured: %w", err)
	}
	return nil
}

// twinTag is the tag that tells the two arms of an A/A run apart.
const twinTag = "aa"

// run is an arm being run.
type run struct {
	*benchmark
	arm      Arm
	row      record.Run
	seq      int64 // of the next load
	sessions int64 // worker processes so far
	failed   int
	ceiling  ceiling  // of the session
	sampler  *sampler // of the worker at work

	gpus []machine.GPU // of the arm's device

	toldUnsupported bool // why there is no text
}

func (b *benchmark) newRun(arm Arm) (*run, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	c := b.plan.Config
	mode, err := arm.Checkpoint.ReplicaMode()
	if err != nil {
		return nil, err
	}
	r := &run{benchmark: b, arm: arm}
	if r.gpus, err = gpusOf(arm.Device, b.gpus); err != nil {
		return nil, err
	}
	tags := c.Tags
	if arm.Name != "" {
		tags = maps.Clone(tags)
		if tags == nil {
			tags = map[string]string{}
		}
		tags[twinTag] = arm.Name
	}
	r.row = record.Run{
		ID:        id.String(),
		CollectID: b.result.CollectID,
		MachineID: b.machine.ID,
		StartedAt: time.Now().UTC(),
		Status:    record.StatusRunning,
		Arm: record.Arm{
			Machine: b.machine.Machine, Model: arm.Checkpoint.Model.Name, BenchmarkType: arm.BenchmarkType,
			Format: arm.Worker.Format, Engine: arm.Engine, Loader: arm.Loader, Device: arm.Device,
		},
		ModelSource:     arm.Checkpoint.Model.Source,
		ModelRevision:   known(arm.Checkpoint.Model.Revision),
		DType:           &arm.Checkpoint.DType,
		NumReplicas:     int64(c.Replicas),
		Sessions:        int64(c.Sessions),
		Seed:            &c.Seed,
		NumThread:       new(int64(arm.Worker.Threads)),
		ChunkSizeBytes:  &arm.Worker.ChunkBytes,
		PageCache:       &arm.PageCache,
		ReplicaMode:     &mode,
		CheckpointBytes: &arm.Checkpoint.ReplicaBytes,
		CheckpointFiles: new(int64(arm.Checkpoint.Files)),
		Tensors:         new(int64(arm.Checkpoint.Tensors)),
		StoragePath:     &c.StoragePath,
		Version:         &b.host.Version,
		GoVersion:       new(runtime.Version()),
		CommandLine:     &b.host.CommandLine,
		PID:             new(int64(os.Getpid())),
		BootID:          new(machine.BootID()),
		Tags:            tags,
	}
	if arm.Engine == EngineTransformers {
		r.row.Packages = c.Packages
	}
	if c.IODepth > 0 {
		r.row.IODepth = new(int64(c.IODepth))
	}
	if c.IOBytes > 0 {
		r.row.IOSizeBytes = &c.IOBytes
	}
	if arm.Worker.PoolBytes > 0 {
		r.row.MemPoolBytes = &arm.Worker.PoolBytes
	}
	return r, nil
}

// end is how the run ended, given what stopped its group, if anything did.
func (r *run) end(ctx context.Context, err error) record.RunEnd {
	end := record.RunEnd{RunID: r.row.ID, EndedAt: time.Now().UTC(), Status: record.StatusCompleted}
	switch {
	case ctx.Err() != nil:
		end.Status = record.StatusInterrupted
	case err != nil:
		end.Status = record.StatusFailed
		end.Error = new(err.Error())
	case r.failed > 0:
		end.Status = record.StatusFailed
	}
	return end
}

// open reads a replica's index to name its files; nil where it can't, and the
// load will say why.
func (r *run) open(dir string) []string {
	c, err := checkpoint.Open(dir, r.arm.Checkpoint.Format)
	if err != nil {
		return nil
	}
	return tensorFiles(c)
}
