package collector

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/hub"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// ResolveOptions say how to look things up.
type ResolveOptions struct {
	// Hub returns the client to fetch models with. It is called only if a model
	// has to come from the Hub; nil: none may.
	Hub      func() (*hub.Client, error)
	Preview  bool     // fetch no model
	Progress Progress // of fetching
}

// Resolved is a valid request with everything that its plan depends on, each
// looked up once. Close it when the plan has been run.
type Resolved struct {
	Request Request        // with an absolute storage path
	Machine record.Machine // this one
	// Absent lists the models that have to be fetched first. Only a preview has
	// any; it cannot be planned, but each of these can be estimated.
	Absent    []AbsentModel
	FreeBytes int64 // on the storage path

	techniques  []technique
	checkpoints [][]checkpoint.Plan  // of each model, one per format
	packages    map[string]string    // of the transformers engine's interpreter, with versions
	gpus        *machine.GPUs        // nil: the request names none
	gpuMemory   map[string]gpuMemory // by device
	memory      memory
	storageNode *int                    // NUMA node of the storage
	store       *client.Server          // that is running at the request's address; nil: none is named
	stores      map[string]storeProgram // to start otherwise, by device
}

// AbsentModel is a model of the Hub that is not, or not entirely, on this machine.
type AbsentModel struct {
	Name         string // as requested
	Model        hub.Model
	MissingBytes int64  // to fetch
	Config       []byte // config.json; nil: it has none
}

// memory is what this machine can give, in bytes.
type memory struct {
	available int64
	lockable  int64 // -1: unlimited
}

// gpuMemory is the memory for models of a device's GPUs, in bytes.
type gpuMemory struct{ total, free int64 }

// storeProgram starts an sllm-store.
type storeProgram struct {
	argv []string // nil: this program's own
	note string   // for the plan
}

// Resolve validates a request and looks up what its plan depends on: interpreters
// are asked for their packages, models fetched, and GPUs, stores, memory and the
// storage path examined. It writes nothing but the Hub's cache. A preview does
// not fetch, and ends early if a model is absent.
func Resolve(ctx context.Context, request Request, o ResolveOptions) (*Resolved, error) {
	if err := request.Validate(); err != nil {
		return nil, err
	}
	r := &Resolved{Request: request}
	if err := r.lookUp(ctx, o); err != nil {
		_ = r.Close() // err says more
		return nil, err
	}
	return r, nil
}

// Close releases the GPUs, which are only observed.
func (r *Resolved) Close() error { return r.gpus.Close() }

func (r *Resolved) lookUp(ctx context.Context, o ResolveOptions) (err error) {
	q := &r.Request
	if q.StoragePath, err = filepath.Abs(q.StoragePath); err != nil {
		return fmt.Errorf("find the storage path: %w", err)
	}
	if r.techniques, err = q.techniques(); err != nil {
		return err
	}
	if r.packages, err = q.askPython(ctx, r.techniques); err != nil {
		return err
	}
	snapshots, absent, err := q.fromHub(ctx, o)
	if err != nil {
		return err
	}
	r.Absent = absent
	if r.Machine, err = machine.Describe(ctx, q.StoragePath); err != nil {
		return err
	}
	if r.FreeBytes, err = machine.FreeSpace(q.StoragePath); err != nil || len(absent) > 0 {
		return err
	}
	if err := r.lookUpGPUs(ctx); err != nil {
		return err
	}
	if err := r.lookUpStores(ctx); err != nil {
		return err
	}
	if r.memory.available, err = machine.AvailableMemory(); err != nil {
		return err
	}
	r.memory.lockable = machine.LockableMemory()
	r.storageNode = machine.StorageNode(q.StoragePath)
	for _, name := range q.Models {
		plans, err := r.lookUpModel(ctx, name, snapshots)
		if err != nil {
			return err
		}
		r.checkpoints = append(r.checkpoints, plans)
	}
	return nil
}

// askPython returns the packages of the transformers engine's interpreter, nil if
// the request does not name that engine. It fails if a package is missing.
func (r Request) askPython(ctx context.Context, techniques []technique) (map[string]string, error) {
	if !slices.Contains(r.Engines, EngineTransformers) {
		return nil, nil
	}
	modules := []string{"torch", "transformers", "safetensors"}
	for _, t := range techniques {
		if t.engine == EngineTransformers && t.format == checkpoint.SLLM {
			modules = append(modules, "sllm_store")
		}
	}
	if slices.ContainsFunc(r.Devices, func(d string) bool { return d != device.Host }) {
		modules = append(modules, "accelerate") // transformers needs it for device maps
	}
	python, err := worker.AskPython(ctx, r.Python, modules)
	if err == nil {
		err = python.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("engine transformers: %w", err)
	}
	return python.Packages, nil
}

// HubRepo returns the repository that a model's name stands for; false if the
// name is that of a folder or of a synthetic model.
func HubRepo(name string) (hub.Repo, bool, error) {
	place, err := checkpoint.Resolvable(name)
	if err != nil || place {
		return hub.Repo{}, false, err
	}
	repo, err := hub.Parse(name)
	if err != nil {
		return hub.Repo{}, false, fmt.Errorf("model %q is not a folder, not synthetic/NAME, and not a model of the Hub: %w", name, err)
	}
	return repo, true, nil
}

// fetched is a model of the Hub in its cache.
type fetched struct {
	repo hub.Repo
	hub.Snapshot
}

// fromHub fetches the request's models of the Hub. A preview fetches none if one
// is absent, and returns those instead.
func (r Request) fromHub(ctx context.Context, o ResolveOptions) (map[string]fetched, []AbsentModel, error) {
	repos := map[string]hub.Repo{}
	for _, name := range r.Models {
		repo, onHub, err := HubRepo(name)
		if err != nil {
			return nil, nil, err
		}
		if onHub {
			repos[name] = repo
		}
	}
	if len(repos) == 0 || o.Hub == nil {
		return nil, nil, nil
	}
	from, err := o.Hub()
	if err != nil {
		return nil, nil, err
	}
	if o.Preview {
		absent, err := r.absent(ctx, from, repos)
		if err != nil || len(absent) > 0 {
			return nil, absent, err
		}
	}
	snapshots := map[string]fetched{}
	for _, name := range r.Models {
		repo, onHub := repos[name]
		if !onHub {
			continue
		}
		snapshot, err := Fetch(ctx, from, repo, o.Progress)
		if err != nil {
			return nil, nil, err
		}
		snapshots[name] = fetched{repo, snapshot}
	}
	return snapshots, nil, nil
}

// absent asks the Hub about models, and returns those that would have to be
// fetched.
func (r Request) absent(ctx context.Context, from *hub.Client, repos map[string]hub.Repo) ([]AbsentModel, error) {
	const maxConfig = 16 << 20 // bytes
	var absent []AbsentModel
	for _, name := range r.Models {
		repo, onHub := repos[name]
		if !onHub {
			continue
		}
		model, err := from.Find(ctx, repo)
		if err != nil {
			return nil, err
		}
		missing := from.MissingBytes(model)
		if missing == 0 {
			continue
		}
		config, err := from.ReadFile(ctx, model, "config.json", maxConfig)
		if err != nil && !errors.Is(err, hub.ErrNoFile) {
			return nil, err
		}
		absent = append(absent, AbsentModel{name, model, missing, config})
	}
	return absent, nil
}

// Fetch brings a model of the Hub into its cache. Files that are there are not
// fetched again.
func Fetch(ctx context.Context, from *hub.Client, repo hub.Repo, progress Progress) (hub.Snapshot, error) {
	model, err := from.Find(ctx, repo)
	if err != nil {
		return hub.Snapshot{}, err
	}
	if model.Cached {
		progress.Note(fmt.Sprintf("using %s from the cache, commit %.12s; the Hub was not asked, or did not answer", repo, model.Commit))
	}
	missing := from.MissingBytes(model)
	if missing == 0 {
		return from.Download(ctx, model, nil)
	}
	if err := from.CheckSpace(model); err != nil {
		return hub.Snapshot{}, err
	}
	progress.Begin(fmt.Sprintf("fetching %s", repo), missing, Bytes)
	defer progress.End()
	return from.Download(ctx, model, progress.Add)
}

// lookUpModel reads a model's index and finds out, for each format, which
// replicas are on disk.
func (r *Resolved) lookUpModel(ctx context.Context, name string, snapshots map[string]fetched) ([]checkpoint.Plan, error) {
	var model checkpoint.Model
	var err error
	if s, ok := snapshots[name]; ok {
		model, err = checkpoint.ResolveFetched(ctx, s.repo.ID, s.Commit, s.Dir)
	} else {
		model, err = checkpoint.Resolve(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	var plans []checkpoint.Plan
	for _, f := range formatsOf(r.techniques) {
		plan, err := model.Plan(ctx, r.Request.StoragePath, f, r.Request.DType, r.Request.replicasOnDisk(),
			checkpoint.Options{ReplicaMode: checkpoint.ReplicaMode(r.Request.ReplicaMode)})
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

// formatsOf lists the formats of techniques in order, each once.
func formatsOf(techniques []technique) []checkpoint.Format {
	var formats []checkpoint.Format
	for _, t := range techniques {
		if !slices.Contains(formats, t.format) {
			formats = append(formats, t.format)
		}
	}
	return formats
}

// spareGPU is left on each GPU to the driver's own allocations for a process:
// some hundred MiB.
const spareGPU = 640 << 20

// lookUpGPUs finds the GPUs that the request names and their memory. It opens none
// of NVIDIA's libraries if the request names none.
func (r *Resolved) lookUpGPUs(ctx context.Context) (err error) {
	var ordinals []int
	for _, name := range r.Request.devices() {
		n, err := device.Parse(name)
		if err != nil {
			return err
		}
		for _, i := range n.GPUs {
			if !slices.Contains(ordinals, i) {
				ordinals = append(ordinals, i)
			}
		}
	}
	if len(ordinals) == 0 {
		return nil
	}
	if r.gpus, err = machine.OpenGPUs(ctx, ordinals); err != nil {
		return fmt.Errorf("device %s: %w", strings.Join(r.Request.devices(), ","), err)
	}
	r.gpuMemory = map[string]gpuMemory{}
	for _, name := range r.Request.devices() {
		gpus := gpusOf(name, r.gpus)
		if len(gpus) == 0 {
			continue
		}
		var m gpuMemory
		for _, g := range gpus {
			m.total += max(0, g.TotalBytes-spareGPU)
			m.free += max(0, g.FreeBytes()-spareGPU)
		}
		r.gpuMemory[name] = m
	}
	return nil
}

// gpusOf returns the GPUs that a valid device name names.
func gpusOf(name string, gpus *machine.GPUs) []machine.GPU {
	n, err := device.Parse(name)
	if err != nil || gpus == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(gpus.List), func(g machine.GPU) bool { return !slices.Contains(n.GPUs, g.Ordinal) })
}

// Programs of stores.
const (
	OwnStore     = "sllmq"      // sllmq store serve
	upstreamName = "sllm-store" // ServerlessLLM's
)

// lookUpStores asks the store that loads are attached to for its settings, or
// finds the programs to start, if a technique is the client of a store.
func (r *Resolved) lookUpStores(ctx context.Context) error {
	if !slices.ContainsFunc(r.techniques, func(t technique) bool { return t.loader.Served }) {
		return nil
	}
	q := r.Request
	if q.StoreAddress == "" {
		r.stores = map[string]storeProgram{}
		for _, d := range q.devices() {
			program, err := q.findStore(d)
			if err != nil {
				return err
			}
			r.stores[d] = program
		}
		return nil
	}
	const patience = 10 * time.Second
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	store, err := client.Dial(q.StoreAddress)
	if err != nil {
		return err
	}
	defer store.Close()
	server, err := store.Describe(limited)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fieldErrorf("StoreAddress", "%v: start the store, or leave its address out to have one started", err)
	}
	for _, d := range q.devices() {
		if err := loader.Suits(server, d, q.StoreAddress); err != nil {
			return fieldErrorf("StoreAddress", "%v", err)
		}
	}
	r.store = &server
	return nil
}

// findStore finds the program of the store to start for a device.
func (r Request) findStore(deviceName string) (storeProgram, error) {
	name := r.StoreProgram
	switch {
	case name == OwnStore:
		return storeProgram{}, nil
	case name == "" && deviceName == device.Host:
		// ServerlessLLM's cannot load to the host.
		return storeProgram{}, nil
	case name == "":
		name = upstreamName
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	switch {
	case err == nil:
		return storeProgram{[]string{path, "start"}, fmt.Sprintf("loader store: starting %s for each session; its log is %s", path, r.StoreLog)}, nil
	case r.StoreProgram == "":
		return storeProgram{note: "loader store: sllm-store is not on the PATH; starting sllmq's own store"}, nil
	default:
		return storeProgram{}, fieldErrorf("StoreProgram", "%v (pip install serverless-llm-store installs sllm-store; sllmq is this program's own)", err)
	}
}
