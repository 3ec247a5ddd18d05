package collector

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Plan is a benchmark in which nothing is left to decide. Run carries it out,
// before the Resolved that it is from is closed.
type Plan struct {
	Request     Request
	Machine     record.Machine
	Checkpoints []checkpoint.Plan
	Groups      [][]PlannedRun // the runs of a group take turns, session by session
	FreeBytes   int64          // on the storage path
	Notes       []string

	gpus     *machine.GPUs
	packages map[string]string
}

// PlannedRun is an arm to be measured once, with its configuration.
type PlannedRun struct {
	Arm         record.Arm
	Twin        string // a or b, if the arm is run twice to estimate noise
	Checkpoint  checkpoint.Plan
	Threads     int // that the loader moves bytes with
	PageCache   string
	TouchMemory bool // before each load: see touches
	IOTrace     bool
	Worker      worker.Open
	Sessions    [][]Step
	Generate    worker.Generate // its Dir is each load's replica

	LoadTimeout     time.Duration
	StartTimeout    time.Duration
	GenerateTimeout time.Duration
}

// Step is one load to come.
type Step struct {
	Replica  int
	Warmup   bool
	Verify   bool
	Generate bool // a text afterwards
}

// Loads counts the loads, including warm-ups.
func (r PlannedRun) Loads() int {
	n := 0
	for _, steps := range r.Sessions {
		n += len(steps)
	}
	return n
}

// Loads counts the plan's loads, including warm-ups.
func (p Plan) Loads() int {
	n := 0
	for _, group := range p.Groups {
		for _, run := range group {
			n += run.Loads()
		}
	}
	return n
}

// Plan plans every load, or says why the request cannot be carried out on this
// machine. It does no I/O.
func (r *Resolved) Plan() (Plan, error) {
	if len(r.Absent) > 0 {
		return Plan{}, fmt.Errorf("plan %s: it has to be fetched first", r.Absent[0].Name)
	}
	p := Plan{Request: r.Request, Machine: r.Machine, FreeBytes: r.FreeBytes, gpus: r.gpus, packages: r.packages}
	for _, checkpoints := range r.checkpoints {
		groups, notes, err := r.groups(checkpoints)
		if err != nil {
			return Plan{}, err
		}
		p.Checkpoints = append(p.Checkpoints, checkpoints...)
		p.Groups = append(p.Groups, groups...)
		for _, n := range notes {
			if !slices.Contains(p.Notes, n) {
				p.Notes = append(p.Notes, n)
			}
		}
	}
	return p, p.checkSpace()
}

// groups plans the runs of one model, given its checkpoint in each format.
func (r *Resolved) groups(checkpoints []checkpoint.Plan) (groups [][]PlannedRun, notes []string, err error) {
	for _, deviceName := range r.Request.devices() {
		for _, benchmarkType := range r.Request.BenchmarkTypes {
			var group []PlannedRun
			for _, t := range r.techniques {
				if !t.takes(deviceName) {
					continue
				}
				i := slices.IndexFunc(checkpoints, func(c checkpoint.Plan) bool { return c.Format == t.format })
				planned, more, err := r.run(checkpoints[i], t, deviceName, benchmarkType)
				if err != nil {
					return nil, nil, err
				}
				group = append(group, r.Request.twins(planned)...)
				notes = append(notes, more...)
			}
			groups = append(groups, group)
		}
	}
	return groups, notes, nil
}

// twins returns the run or, if noise is to be estimated, the run under two names.
func (r Request) twins(planned PlannedRun) []PlannedRun {
	if !r.AA {
		return []PlannedRun{planned}
	}
	a, b := planned, planned
	a.Twin, b.Twin = "a", "b"
	return []PlannedRun{a, b}
}

// run plans one run.
func (r *Resolved) run(made checkpoint.Plan, t technique, deviceName, benchmarkType string) (PlannedRun, []string, error) {
	q := r.Request
	pageCache := q.pageCache(benchmarkType)
	planned := PlannedRun{
		Arm: record.Arm{
			Machine: r.Machine.Machine, Model: made.Model.Name, BenchmarkType: benchmarkType,
			Format: string(t.format), Engine: t.engine, Loader: t.loader.Name, Device: deviceName,
		},
		Checkpoint:  made,
		Threads:     t.loader.Threads(q.Threads),
		PageCache:   pageCache,
		TouchMemory: touches(t.loader, pageCache, r.Machine),
		IOTrace:     q.IOTrace,
		Worker: worker.Open{
			Format:     string(t.format),
			Loader:     t.loader.Name,
			Device:     deviceName,
			Threads:    q.Threads,
			ChunkBytes: q.ChunkBytes,
			Depth:      q.IODepth,
			IOBytes:    q.IOBytes,
			Buffered:   pageCache == PageCacheKeep,
			GDS:        q.GDS,
		},
		Sessions: q.sessions(benchmarkType, t.loader),
		Generate: worker.Generate{
			Prompt:      q.Prompt,
			NewTokens:   q.NewTokens,
			Temperature: q.Temperature,
			TopP:        q.TopP,
			Seed:        q.Seed,
			Threads:     runtime.GOMAXPROCS(0),
		},
	}
	open := &planned.Worker
	if deviceName == device.Host {
		open.Node = r.storageNode
	}
	if t.loader.Device {
		// Loaders may align each tensor to 256 bytes, or each file's tensors to a
		// block at both ends, and need one more block to align the first.
		open.DeviceBytes = made.ReplicaBytes + 256*int64(made.Tensors) + directio.Align*(2*int64(made.Files)+1)
	}
	if err := r.fitGPUs(made, deviceName, open.DeviceBytes); err != nil {
		return PlannedRun{}, nil, err
	}
	pool, notes, err := r.fitMemory(made, t, deviceName, benchmarkType, open.DeviceBytes)
	if err != nil {
		return PlannedRun{}, nil, err
	}
	open.PoolBytes, open.Stream = pool.bytes, pool.stream
	planned.LoadTimeout = q.LoadTimeout
	if planned.LoadTimeout == 0 {
		planned.LoadTimeout = leastTimeout + timeFor(made.ReplicaBytes)
	}
	planned.StartTimeout = leastTimeout + timeFor(open.PoolBytes+open.DeviceBytes)
	planned.GenerateTimeout = leastTimeout + time.Duration(q.NewTokens)*timeFor(2*made.ReplicaBytes/memorySpeed)
	if t.engine == EngineTransformers {
		open.Dir, open.DType, open.StoragePath = made.Dirs[0], made.DType, q.StoragePath
		planned.StartTimeout += importTimeout
	}
	if t.loader.Served {
		notes = append(notes, r.serve(&planned)...)
	}
	return planned, notes, nil
}

const (
	// leastTimeout is the timeout of anything that moves no bytes.
	leastTimeout = 2 * time.Minute
	// importTimeout is the time that importing torch may take from a slow disk.
	importTimeout = 10 * time.Minute
	// memorySpeed is how many times faster than timeFor's disk the slowest memory
	// is. A generation reads the weights from memory once per token.
	memorySpeed = 50
)

// timeFor returns how long bytes may take at 10 MB/s, which is slower than any
// disk that models are served from. After that a process is considered hung.
func timeFor(bytes int64) time.Duration {
	return time.Duration(bytes/(10<<20)) * time.Second
}

// sessions plans the loads of every session. The order is drawn from the seed and
// the session's number, so that all arms load the replicas in the same order.
//
// Loads by a store are verified every time: ServerlessLLM's was seen to report
// loads that it had not done.
func (r Request) sessions(benchmarkType string, l loader.Technique) [][]Step {
	seen := map[int]bool{}
	verify := func(replica int) bool {
		first := !seen[replica]
		seen[replica] = true
		return r.Verify == VerifyAll || r.Verify == VerifyFirst && (first || l.Served)
	}
	var sessions [][]Step
	for s := range r.Sessions {
		var steps []Step
		switch benchmarkType {
		case Random:
			for _, replica := range rand.New(rand.NewPCG(uint64(r.Seed), uint64(s))).Perm(r.Replicas) {
				steps = append(steps, Step{Replica: replica, Verify: verify(replica)})
			}
		case Cached:
			steps = append(steps, Step{Warmup: true, Verify: verify(0)})
			for range r.Replicas {
				steps = append(steps, Step{Verify: verify(0)})
			}
		}
		for i := range steps {
			steps[i].Generate = l.Device && (r.Inference == InferenceAll || r.Inference == InferenceFirst && i == 0)
		}
		sessions = append(sessions, steps)
	}
	return sessions
}

// spareMemory is left to the rest of the system when memory is planned.
const spareMemory = 1 << 30

// pool is the host memory that a worker keeps models in.
type pool struct {
	bytes  int64 // 0: it has none
	stream bool  // it is smaller than the model
}

// fitMemory chooses the size of the pool, or says why the worker needs more
// memory than the machine has.
func (r *Resolved) fitMemory(made checkpoint.Plan, t technique, deviceName, benchmarkType string, deviceBytes int64) (p pool, notes []string, err error) {
	q := r.Request
	onHost := deviceName == device.Host
	staging := t.loader.StagingBytes(made.LargestBytes)
	taken := staging
	if onHost {
		taken += deviceBytes
	} else {
		taken += t.loader.ReadBufferBytes(loader.Options{Threads: q.Threads, Depth: q.IODepth, IOBytes: q.IOBytes})
	}
	room := r.memory.available - spareMemory - taken
	if room < 0 {
		return p, nil, fmt.Errorf("%s in %s needs %s of memory to load to device %s, and this machine has %s available: use a smaller model",
			made.Model.Name, t.format, size.Binary(taken), deviceName, size.Binary(max(0, r.memory.available-spareMemory)))
	}
	noteUnlocked := func(what string, bytes int64) {
		if onHost && r.memory.lockable >= 0 && r.memory.lockable < bytes {
			notes = append(notes, fmt.Sprintf("%s not page-locked: the limit is %s (raise it with ulimit -l)", what, size.Binary(r.memory.lockable)))
		}
	}
	noteUnlocked(t.loader.Name+"'s buffers are", staging)
	if !t.loader.Pooled {
		return p, notes, nil
	}
	if t.loader.Served && r.store != nil {
		return p, notes, r.fitStore(made)
	}
	limit := q.PoolBytes
	if limit > room {
		if q.PoolFixed {
			return p, nil, fieldErrorf("PoolBytes", "%s is more than the %s available beside the model on device %s: use less, or leave it out",
				size.Exact(limit), size.Binary(room), deviceName)
		}
		limit = room / q.ChunkBytes * q.ChunkBytes
		notes = append(notes, fmt.Sprintf("pool reduced to %s (available memory)", size.Binary(limit)))
	}
	one := poolBytes(made, q.ChunkBytes)
	switch {
	case one <= limit:
		// No more than all replicas fill.
		p.bytes = min(limit, one*int64(q.replicasFor(benchmarkType)))
	case q.Stream && !t.loader.Served && limit >= q.ChunkBytes:
		p = pool{limit, true}
		return p, append(notes, fmt.Sprintf("%s needs %s of pool and is streamed through %s: no load will hit the pool", made.Model.Name, size.Binary(one), size.Binary(limit))), nil
	default:
		return p, nil, fmt.Errorf("%s needs %s of pool in chunks of %s, and the pool has %s: use a larger pool, a smaller model, or streaming",
			made.Model.Name, size.Binary(one), size.Exact(q.ChunkBytes), size.Binary(limit))
	}
	noteUnlocked("the pool is", p.bytes)
	return p, notes, nil
}

// poolBytes returns the pool memory of one replica. A chunk never spans two
// files, so each file may leave one partly empty.
func poolBytes(made checkpoint.Plan, chunk int64) int64 {
	return ((made.ReplicaBytes+chunk-1)/chunk + int64(made.Files) - 1) * chunk
}

// fitStore checks that a replica fits the pool of the running store.
func (r *Resolved) fitStore(made checkpoint.Plan) error {
	chunk := r.store.ChunkBytes
	if chunk <= 0 {
		return nil // it does not report one
	}
	if one := poolBytes(made, chunk); one > r.store.PoolBytes {
		return fmt.Errorf("%s needs %s of pool in chunks of %s, and the store at %s has %s: start it with a larger pool, or use a smaller model",
			made.Model.Name, size.Binary(one), size.Exact(chunk), r.Request.StoreAddress, size.Binary(r.store.PoolBytes))
	}
	return nil
}

// serve says which store a run's worker is the client of.
func (r *Resolved) serve(planned *PlannedRun) (notes []string) {
	q := r.Request
	program := r.stores[planned.Arm.Device]
	planned.Worker.Store = &worker.Store{
		StoreOptions: loader.StoreOptions{
			Address: q.StoreAddress, StoragePath: q.StoragePath,
			// Less than the worker's own, so that the worker reports it.
			LoadTimeout: planned.LoadTimeout - min(planned.LoadTimeout/5, 30*time.Second),
		},
		Command: client.Command{
			Program: program.argv, StoragePath: q.StoragePath, Log: q.StoreLog,
			PoolBytes: planned.Worker.PoolBytes, ChunkBytes: q.ChunkBytes, Threads: q.Threads,
		},
	}
	if program.note != "" {
		notes = append(notes, program.note)
	}
	return notes
}

// fitGPUs checks that a load fits the device's GPUs.
func (r *Resolved) fitGPUs(made checkpoint.Plan, deviceName string, bytes int64) error {
	has, ok := r.gpuMemory[deviceName]
	if !ok {
		return nil
	}
	need := fmt.Sprintf("%s in %s needs %s on device %s", made.Model.Name, made.Format, size.Binary(bytes), deviceName)
	switch {
	case bytes > has.total:
		return fmt.Errorf("%s, which has %s: use a smaller model, or spread it over more GPUs", need, size.Binary(has.total))
	case bytes > has.free:
		return fmt.Errorf("%s, of which other processes leave %s: free it (nvidia-smi lists them) or use a smaller model", need, size.Binary(has.free))
	}
	return nil
}

// checkSpace checks that the storage has room for what will be written.
func (p Plan) checkSpace() error {
	var missing int64
	for _, c := range p.Checkpoints {
		missing += c.SpaceBytes
	}
	// For the filesystem itself: directories and partly filled blocks.
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
	advice := "no replica fits: use another storage path or a smaller model"
	if fit > 0 {
		advice = fmt.Sprintf("reduce the number of replicas to %d", fit)
	}
	return fmt.Errorf("storage path %s has %s free and the replicas need %s more: %s",
		p.Request.StoragePath, size.Binary(p.FreeBytes), size.Binary(missing), advice)
}
