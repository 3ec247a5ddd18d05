package collector

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/internal/size"
)

// Plan is a benchmark with nothing left open. It is not changed once made.
type Plan struct {
	Config      Config // with every default filled in
	Checkpoints []checkpoint.Plan
	Groups      [][]Arm // the arms of a group take turns, session by session
	FreeBytes   int64   // that the storage path has now
	Notes       []string
}

// Arm is one run as it is planned.
type Arm struct {
	Checkpoint    checkpoint.Plan
	Name          string // of an arm that has a twin; empty else
	Engine        string
	Loader        string
	Threads       int // that the loader moves bytes on
	Device        string
	BenchmarkType string
	PageCache     string
	TouchMemory   bool // before each load, in a virtual machine: see TouchFreeMemory
	Worker        worker.Open
	Sessions      [][]Step
	Generate      worker.Generate // its Dir is each load's replica

	LoadTimeout     time.Duration
	StartTimeout    time.Duration
	GenerateTimeout time.Duration
}

// Step is one load to come.
type Step struct {
	Replica int
	Warmup  bool
	Verify  bool
	// Generate a text afterwards.
	Generate bool
}

// Loads is how many loads the plan has, warm-ups counted.
func (p Plan) Loads() int {
	n := 0
	for _, group := range p.Groups {
		for _, arm := range group {
			for _, session := range arm.Sessions {
				n += len(session)
			}
		}
	}
	return n
}

// NewPlan turns a configuration into a plan, or says why it can't be carried
// out on this machine. It writes nothing.
func NewPlan(c Config) (Plan, error) {
	if err := c.Validate(); err != nil {
		return Plan{}, err
	}
	storage, err := filepath.Abs(c.StoragePath)
	if err != nil {
		return Plan{}, fmt.Errorf("find the storage path: %w", err)
	}
	c.StoragePath = storage
	pairs, err := c.techniques()
	if err != nil {
		return Plan{}, err
	}
	if slices.Contains(c.Engines, EngineTransformers) && c.Packages == nil {
		return Plan{}, errors.New("plan engine transformers: its interpreter was not asked what it has")
	}
	devices := c.devices()
	gpus, err := openGPUs(context.Background(), devices)
	if err != nil {
		return Plan{}, err
	}
	defer func() { _ = gpus.Close() }() // it was only asked
	if err := c.askStore(pairs, devices); err != nil {
		return Plan{}, err
	}
	p := Plan{Config: c}
	available, err := machine.AvailableMemory()
	if err != nil {
		return Plan{}, err
	}
	for _, name := range c.Models {
		model, err := c.resolve(context.TODO(), name)
		if err != nil {
			return Plan{}, err
		}
		prepared := map[checkpoint.Format]checkpoint.Plan{}
		for _, pair := range pairs {
			if _, ok := prepared[pair.format]; ok {
				continue
			}
			made, err := model.Plan(context.TODO(), storage, pair.format, c.DType, c.replicasOnDisk(), checkpoint.Options{ReplicaMode: checkpoint.ReplicaMode(c.ReplicaMode)})
			if err != nil {
				return Plan{}, err
			}
			prepared[pair.format] = made
			p.Checkpoints = append(p.Checkpoints, made)
		}
		for _, device := range devices {
			for _, benchmarkType := range c.BenchmarkTypes {
				var group []Arm
				for _, pair := range pairs {
					if !pair.takes(device) {
						continue
					}
					arm, notes, err := c.arm(prepared[pair.format], pair, device, benchmarkType, available)
					if err == nil {
						err = fitGPUs(arm, gpus)
					}
					if err != nil {
						return Plan{}, err
					}
					p.note(notes...)
					group = append(group, c.twins(arm)...)
				}
				p.Groups = append(p.Groups, group)
			}
		}
	}
	if p.FreeBytes, err = machine.FreeSpace(storage); err != nil {
		return Plan{}, err
	}
	return p, p.checkSpace()
}

// note keeps each note once.
func (p *Plan) note(notes ...string) {
	for _, n := range notes {
		seen := false
		for _, old := range p.Notes {
			seen = seen || old == n
		}
		if !seen {
			p.Notes = append(p.Notes, n)
		}
	}
}

// replicasOnDisk is the most that any of the benchmark types needs.
func (c Config) replicasOnDisk() int {
	n := 1
	for _, t := range c.BenchmarkTypes {
		n = max(n, c.replicasFor(t))
	}
	return n
}

// twins are the arm itself or, for an A/A run, the arm under two names: what
// differs between them is the machine's own noise.
func (c Config) twins(arm Arm) []Arm {
	if !c.AA {
		return []Arm{arm}
	}
	a, b := arm, arm
	a.Name, b.Name = "a", "b"
	return []Arm{a, b}
}

// replicasFor is how many replicas a benchmark type loads.
func (c Config) replicasFor(benchmarkType string) int {
	if benchmarkType == Random {
		return c.Replicas
	}
	return 1
}

func (c Config) arm(made checkpoint.Plan, pair technique, device, benchmarkType string, available int64) (Arm, []string, error) {
	pageCache := c.pageCache(benchmarkType)
	open := worker.Open{
		Format:     string(pair.format),
		Loader:     pair.loader.Name,
		Device:     device,
		Threads:    c.Threads,
		ChunkBytes: c.ChunkBytes,
		Depth:      c.IODepth,
		IOBytes:    c.IOBytes,
		Buffered:   pageCache == PageCacheKeep,
		GDS:        c.GDS,
	}
	if device == hostDevice {
		open.Node = machine.StorageNode(c.StoragePath)
	}
	if pair.loader.Device {
		// Loaders may begin every tensor on a boundary of 256 bytes, or every
		// file's tensors on one of a block and end them on another, and want
		// a block to find the first.
		open.DeviceBytes = made.ReplicaBytes + 256*int64(made.Tensors) + directio.Align*(2*int64(made.Files)+1)
	}
	notes, err := c.fitMemory(&open, made, pair, benchmarkType, available)
	if err != nil {
		return Arm{}, nil, err
	}
	arm := Arm{
		Checkpoint:    made,
		Engine:        pair.engine,
		Loader:        pair.loader.Name,
		Threads:       pair.loader.Threads(c.Threads),
		Device:        device,
		BenchmarkType: benchmarkType,
		PageCache:     pageCache,
		TouchMemory:   touches(pair.loader, pageCache),
		Worker:        open,
		Sessions:      c.steps(benchmarkType, pair.loader),
		Generate: worker.Generate{
			Prompt:      c.Prompt,
			NewTokens:   c.NewTokens,
			Temperature: c.Temperature,
			TopP:        c.TopP,
			Seed:        c.Seed,
			Threads:     runtime.GOMAXPROCS(0),
		},
		GenerateTimeout: 2*time.Minute + time.Duration(c.NewTokens)*patience(2*made.ReplicaBytes/generationReach),
		LoadTimeout:     c.LoadTimeout,
		StartTimeout:    2*time.Minute + patience(open.PoolBytes+open.DeviceBytes),
	}
	if pair.engine == EngineTransformers {
		arm.Worker.Dir, arm.Worker.DType, arm.Worker.StoragePath = made.Dirs[0], made.DType, c.StoragePath
		arm.StartTimeout += importPatience
	}
	if arm.LoadTimeout == 0 {
		arm.LoadTimeout = 2*time.Minute + patience(made.ReplicaBytes)
	}
	if pair.loader.Served {
		served, err := c.serve(&arm)
		if err != nil {
			return Arm{}, nil, err
		}
		notes = append(notes, served...)
	}
	return arm, notes, nil
}

// patience is how long bytes may take before their process is taken for hung:
// at 10 MB/s, below the slowest disk that anyone would serve from.
func patience(bytes int64) time.Duration {
	return time.Duration(bytes/(10<<20)) * time.Second
}

// importPatience is what importing torch may take from a slow disk.
const importPatience = 10 * time.Minute

// generationReach is how much faster than patience's disk the memory is that a
// generation reads the weights from, once a token, on the slowest machine.
const generationReach = 50

// steps is the order of the loads of every session. The permutation is drawn
// from the seed and the session's number, so that both formats meet the
// replicas in one order.
//
// What a store brings is checked after every load: ServerlessLLM's was seen to
// say that it had loaded what it had not.
func (c Config) steps(benchmarkType string, l loader.Technique) [][]Step {
	seen := map[int]bool{}
	verify := func(replica int) bool {
		first := !seen[replica]
		seen[replica] = true
		return c.Verify == VerifyAll || c.Verify == VerifyFirst && (first || l.Served)
	}
	var sessions [][]Step
	for s := range c.Sessions {
		var steps []Step
		switch benchmarkType {
		case Random:
			for _, replica := range rand.New(rand.NewPCG(uint64(c.Seed), uint64(s))).Perm(c.Replicas) {
				steps = append(steps, Step{Replica: replica, Verify: verify(replica)})
			}
		case Cached:
			steps = append(steps, Step{Warmup: true, Verify: verify(0)})
			for range c.Replicas {
				steps = append(steps, Step{Verify: verify(0)})
			}
		}
		for i := range steps {
			steps[i].Generate = l.Device && (c.Inference == InferenceAll || c.Inference == InferenceFirst && i == 0)
		}
		sessions = append(sessions, steps)
	}
	return sessions
}

// spareMemory is left to the rest of the system when memory is planned.
const spareMemory = 1 << 30

// fitMemory holds what the worker will take against what the machine can
// give, and chooses the pool's size.
func (c Config) fitMemory(open *worker.Open, made checkpoint.Plan, pair technique, benchmarkType string, available int64) (notes []string, err error) {
	staging := pair.loader.StagingBytes(made.LargestBytes)
	taken := staging
	if open.Device == hostDevice {
		taken += open.DeviceBytes
	} else {
		taken += pair.loader.ReadBufferBytes(loader.Options{Threads: c.Threads, Depth: c.IODepth, IOBytes: c.IOBytes})
	}
	room := available - spareMemory - taken
	if room < 0 {
		return nil, fmt.Errorf("%s in %s takes %s of memory to come to device %s and this machine has %s to give: use a smaller model",
			made.Model.Name, pair.format, size.Binary(taken), open.Device, size.Binary(max(0, available-spareMemory)))
	}
	if lockable := machine.LockableMemory(); open.Device == hostDevice && lockable >= 0 && lockable < staging {
		notes = append(notes, fmt.Sprintf("%s's buffers are not page-locked: the limit is %s (raise it with ulimit -l)", pair.loader.Name, size.Binary(lockable)))
	}
	if !pair.loader.Pooled {
		return notes, nil
	}
	if pair.loader.Served && c.StoreAddress != "" {
		return notes, c.fitStore(made)
	}
	limit := c.PoolBytes
	if limit > room {
		if c.PoolAsked {
			return nil, fmt.Errorf("--mem-pool-size %s is more than the %s that this machine can give beside the model on device %s: lower it, or leave it out",
				size.Exact(limit), size.Binary(room), open.Device)
		}
		limit = room / c.ChunkBytes * c.ChunkBytes
		notes = append(notes, fmt.Sprintf("the pool is lowered from %s to %s, which is what this machine can give", size.Exact(c.PoolBytes), size.Binary(limit)))
	}
	one := poolBytes(made, c.ChunkBytes)
	if one > limit && c.Stream && !pair.loader.Served && limit >= c.ChunkBytes {
		open.PoolBytes, open.Stream = limit, true
		return append(notes, fmt.Sprintf("%s takes %s of pool and is streamed through %s of it: no load finds it there", made.Model.Name, size.Binary(one), size.Binary(limit))), nil
	}
	if one > limit {
		return nil, fmt.Errorf("%s takes %s of pool in chunks of %s, and the pool has %s: give a larger --mem-pool-size, a smaller model, or --stream",
			made.Model.Name, size.Binary(one), size.Exact(c.ChunkBytes), size.Binary(limit))
	}
	// Chunks that no replica will ever lie in are not taken.
	replicas := int64(c.replicasFor(benchmarkType))
	open.PoolBytes = limit
	if limit/one >= replicas {
		open.PoolBytes = one * replicas
	}
	if lockable := machine.LockableMemory(); open.Device == hostDevice && lockable >= 0 && lockable < open.PoolBytes {
		notes = append(notes, fmt.Sprintf("the pool is not page-locked: the limit is %s (raise it with ulimit -l)", size.Binary(lockable)))
	}
	return notes, nil
}

// poolBytes is what a replica takes of a pool. A chunk never spans two files, so
// each may leave one partly empty.
func poolBytes(made checkpoint.Plan, chunk int64) int64 {
	return ((made.ReplicaBytes+chunk-1)/chunk + int64(made.Files) - 1) * chunk
}

// checkSpace holds what preparing will write against what the storage has.
func (p Plan) checkSpace() error {
	var missing int64
	for _, c := range p.Checkpoints {
		missing += c.SpaceBytes
	}
	// The filesystem wants something for itself: directories, blocks begun.
	const spare = 64 << 20
	if missing == 0 || missing+spare <= p.FreeBytes {
		return nil
	}
	var all, perReplica int64
	for _, c := range p.Checkpoints {
		all += c.ReplicaBytes * int64(len(c.Dirs))
		perReplica += c.ReplicaBytes
	}
	fit := (all - missing + p.FreeBytes - spare) / max(1, perReplica)
	advice := "no replica fits: use another --storage-path or a smaller model"
	if fit > 0 {
		advice = fmt.Sprintf("--num-replicas %d would fit", fit)
	}
	return fmt.Errorf("storage path %s has room for %s and the replicas need %s more: %s",
		p.Config.StoragePath, size.Binary(p.FreeBytes), size.Binary(missing), advice)
}

// tensorFiles names the files of a prepared replica that hold tensors.
func tensorFiles(c *checkpoint.Checkpoint) []string {
	var paths []string
	for i := range c.Files {
		paths = append(paths, c.Path(i))
	}
	return paths
}
