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
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Sink keeps measurements: each batch entirely or not at all.
type Sink interface {
	Append(ctx context.Context, b record.Batch) error
}

// Progress shows how a benchmark goes. Add may be called from several goroutines.
type Progress interface {
	// Begin starts a part of the work, of total units.
	Begin(what string, total int64, of Unit)
	// Add reports that n more units are done.
	Add(n int64)
	// End ends the part.
	End()
	// Note shows a line that people should know.
	Note(line string)
}

// Unit is what a part of the work is counted in.
type Unit string

// Loads are not counted in bytes: a rate of bytes would include the time between
// loads, and look like a loader's.
const (
	Bytes  Unit = "bytes"
	Loads  Unit = "loads"
	Trials Unit = "trials"
)

// Program is what Run needs to know of the program around it.
type Program struct {
	WorkerCommand []string // command line of the native worker
	StoreCommand  []string // command line of sllmq's own store, before its flags
	Version       string
	CommandLine   string // recorded with the runs
}

// Result is how a benchmark went.
type Result struct {
	CollectID   string
	Loads       int // that ended, failed or not, including warm-ups
	Failed      int
	Interrupted bool
}

// Run carries out a plan: it prepares the checkpoints and runs every session,
// appending to sink as each load ends. When ctx ends, the current load is given
// up, the rows so far are kept and the runs are marked interrupted; that is not
// an error. An error means that the benchmark could not continue.
func Run(ctx context.Context, p Plan, sink Sink, progress Progress, program Program) (Result, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Result{}, fmt.Errorf("make an ID: %w", err)
	}
	b := &benchmark{
		plan: p, sink: sink, progress: progress, program: program,
		result: Result{CollectID: id.String()}, generations: map[textSource]generation{},
	}
	for _, n := range p.Notes {
		progress.Note(n)
	}
	err = prepare(ctx, p.Checkpoints, progress)
	for _, group := range p.Groups {
		if err == nil {
			err = b.runGroup(ctx, group)
		}
	}
	if ctx.Err() != nil {
		b.result.Interrupted = true
		if errors.Is(err, ctx.Err()) {
			err = nil
		}
	}
	return b.result, err
}

// prepare writes the missing replicas of checkpoints.
func prepare(ctx context.Context, checkpoints []checkpoint.Plan, progress Progress) error {
	for _, c := range checkpoints {
		if c.MissingBytes == 0 {
			continue
		}
		progress.Begin(fmt.Sprintf("preparing %s %s", c.Model.Name, c.Format), c.MissingBytes, Bytes)
		err := c.Prepare(ctx, progress.Add)
		progress.End()
		if err != nil {
			return err
		}
	}
	return warnOverflows(checkpoints, progress)
}

// warnOverflows warns if a conversion produced infinities: such a model loads as
// fast as any other and computes nonsense.
func warnOverflows(checkpoints []checkpoint.Plan, progress Progress) error {
	for _, c := range checkpoints {
		tensors, err := checkpoint.Overflows(c.Dirs[0])
		if err != nil {
			return err
		}
		var values int64
		for _, n := range tensors {
			values += n
		}
		if values > 0 {
			progress.Note(fmt.Sprintf("%s %s: %d values in %d tensors were too large for %s and became infinite (bfloat16 can hold them)",
				c.Model.Name, c.Format, values, len(tensors), c.DType))
		}
	}
	return nil
}

// benchmark is a plan being carried out.
type benchmark struct {
	plan     Plan
	sink     Sink
	progress Progress
	program  Program
	result   Result

	generations    map[textSource]generation // the first of each source
	warnedUnlocked bool                      // that a pool is not page-locked
}

// runGroup runs the runs of a group, which take turns by session.
func (b *benchmark) runGroup(ctx context.Context, group []PlannedRun) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	runs := make([]*run, len(group))
	batch := record.Batch{Machines: []record.Machine{b.plan.Machine}}
	for i, planned := range group {
		row, err := b.runRow(planned)
		if err != nil {
			return err
		}
		runs[i] = &run{bench: b, planned: planned, row: row, gpus: gpusOf(planned.Arm.Device, b.plan.gpus)}
		batch.Runs = append(batch.Runs, row)
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
		err = errors.Join(err, b.append(ends))
	}()
	for s := range b.plan.Request.Sessions {
		for _, r := range runs {
			if err := r.session(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// append hands rows to the sink. An interruption does not stop it: what was
// measured is kept.
func (b *benchmark) append(rows record.Batch) error {
	if err := b.sink.Append(context.Background(), rows); err != nil {
		return fmt.Errorf("keep the measurements: %w", err)
	}
	return nil
}

// run is a planned run being carried out.
type run struct {
	bench   *benchmark
	planned PlannedRun
	row     record.Run
	gpus    []machine.GPU // of its device

	seq              int64 // of the next load
	processes        int64 // worker processes so far
	failed           int
	notedUnsupported bool // why no text is generated
}

// twinTag is the tag that distinguishes the two runs of an arm that is run twice.
const twinTag = "aa"

func (b *benchmark) runRow(planned PlannedRun) (record.Run, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return record.Run{}, fmt.Errorf("make an ID: %w", err)
	}
	q, made := b.plan.Request, planned.Checkpoint
	mode, err := made.ReplicaMode()
	if err != nil {
		return record.Run{}, err
	}
	tags := q.Tags
	if planned.Twin != "" {
		tags = maps.Clone(tags)
		if tags == nil {
			tags = map[string]string{}
		}
		tags[twinTag] = planned.Twin
	}
	row := record.Run{
		ID:              id.String(),
		CollectID:       b.result.CollectID,
		MachineID:       b.plan.Machine.ID,
		Arm:             planned.Arm,
		StartedAt:       time.Now().UTC(),
		Status:          record.StatusRunning,
		ModelSource:     made.Model.Source,
		DType:           &made.DType,
		NumReplicas:     int64(q.Replicas),
		Sessions:        int64(q.Sessions),
		Seed:            &q.Seed,
		NumThread:       new(int64(planned.Worker.Threads)),
		ChunkSizeBytes:  &planned.Worker.ChunkBytes,
		PageCache:       &planned.PageCache,
		ReplicaMode:     &mode,
		CheckpointBytes: &made.ReplicaBytes,
		CheckpointFiles: new(int64(made.Files)),
		Tensors:         new(int64(made.Tensors)),
		StoragePath:     &q.StoragePath,
		Version:         &b.program.Version,
		GoVersion:       new(runtime.Version()),
		CommandLine:     &b.program.CommandLine,
		PID:             new(int64(os.Getpid())),
		BootID:          new(machine.BootID()),
		Tags:            tags,
	}
	if made.Model.Revision != "" {
		row.ModelRevision = &made.Model.Revision
	}
	if planned.Arm.Engine == EngineTransformers {
		row.Packages = b.plan.packages
	}
	if q.IODepth > 0 {
		row.IODepth = new(int64(q.IODepth))
	}
	if q.IOBytes > 0 {
		row.IOSizeBytes = &q.IOBytes
	}
	if planned.Worker.PoolBytes > 0 {
		row.MemPoolBytes = &planned.Worker.PoolBytes
	}
	return row, nil
}

// end returns how the run ended, given the error that stopped its group, if any.
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

// start starts the run's worker process.
func (r *run) start(ctx context.Context) (*worker.Process, error) {
	open := r.planned.Worker
	if s := open.Store; s != nil && s.Address == "" && s.Command.Program == nil {
		own := *s
		own.Command.Program = r.bench.program.StoreCommand
		open.Store = &own
	}
	if r.planned.Arm.Engine == EngineTransformers {
		return worker.StartPython(ctx, r.bench.plan.Request.Python, open, r.planned.StartTimeout)
	}
	return worker.Start(ctx, r.bench.program.WorkerCommand, open, r.planned.StartTimeout)
}

// files returns the tensor files of a replica, none if its index cannot be read:
// the load will report that.
func (r *run) files(dir string) []string {
	c, err := checkpoint.Open(dir, r.planned.Checkpoint.Format)
	if err != nil {
		return nil
	}
	return tensorFiles(c)
}

// tensorFiles returns the paths of the files that hold tensors.
func tensorFiles(c *checkpoint.Checkpoint) []string {
	var paths []string
	for i := range c.Files {
		paths = append(paths, c.Path(i))
	}
	return paths
}
