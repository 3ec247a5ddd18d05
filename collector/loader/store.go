package loader

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/stage"
)

// ErrOver says that a loader can load no more: its process has to end, and
// another may go on.
var ErrOver = errors.New("this worker is given up")

// StoreOptions say which store a loader is a client of.
type StoreOptions struct {
	Address string // of one that runs; empty: one is started
	// Program is how to start one, with its first arguments: see client.Command.
	Program      []string
	StoragePath  string        // models lie below it
	Log          string        // file that the output of one that is started is appended to
	StartTimeout time.Duration // for it to be ready
	LoadTimeout  time.Duration // for a load
}

// store stands for ServerlessLLM's way to load: a client of an sllm-store, a
// server that keeps models in its pool and copies them to memory that the
// client allocated (the load_dict_non_blocking of sllm_store's torch module,
// 0.8). One load is: LoadModelAsync to host memory, the index read, memory
// allocated and its handle made, LoadModelAsync to the device, ConfirmModel.
//
// On a GPU that is the store's contract, and any server will do. The contract
// has no way to memory of the host, nor to hear when a model lies in the
// server's. sllmq's own server takes handles of host memory too, so that
// there the same calls copy every byte into this process; ServerlessLLM's is
// refused. That memory is the same for every load of a session, and stays mapped in
// the server from the first on.
type store struct {
	o       Options
	client  *client.Client
	process *client.Process // nil: attached
	server  client.Server
	last    string // the model loaded last: it lies in the pool
	over    error  // why it can load no more
}

var (
	_ Loader   = (*store)(nil)
	_ Preparer = (*store)(nil)
	_ Served   = (*store)(nil)
)

// settling is what a store of ServerlessLLM's gets between being asked for a
// model's way to the host and for that to a GPU. Its thread for the one has to
// have begun before that for the other, or it dies; on a busy machine it needs
// some milliseconds, and nobody can hear when. It reads meanwhile.
const settling = 10 * time.Millisecond

// stopPatience is how long a store may take to give its memory back.
const stopPatience = 20 * time.Second

func openStore(o Options) (Loader, error) {
	l := &store{o: o}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *store) open() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.o.Store.StartTimeout)
	defer cancel()
	address := l.o.Store.Address
	if address == "" {
		l.process, err = client.Start(ctx, client.Command{
			Program: l.o.Store.Program, StoragePath: l.o.Store.StoragePath, Log: l.o.Store.Log,
			PoolBytes: l.o.PoolBytes, ChunkBytes: l.o.ChunkBytes, Threads: l.o.Threads,
		}, l.o.Store.StartTimeout)
		if err != nil {
			return err
		}
		address = l.process.Address
	}
	if l.client, err = client.Dial(address); err != nil {
		return err
	}
	if l.server, err = l.client.Describe(ctx); err != nil {
		return fmt.Errorf("ask the store what it is: %w", err)
	}
	return Suits(l.server, l.o.Device.Name(), address)
}

// Suits says why a store can't bring models to a device; nil if it can.
func Suits(s client.Server, deviceName, address string) error {
	if deviceName == "host" && (s.Beyond == nil || s.Beyond.HostDevice == "") {
		return fmt.Errorf("the store at %s brings models to GPUs only, and can't say when one is in host memory: use --device cuda:0, or sllmq's own store", address)
	}
	return nil
}

func (l *store) Prepared() Prepared {
	p := Prepared{PoolBytes: l.server.PoolBytes}
	switch b := l.server.Beyond; {
	case b == nil:
		p.LockUnknown = true
	case !b.PoolLocked:
		p.LockError = errors.New(b.LockReason)
	}
	return p
}

// Server says which store it is.
func (l *store) Server() Server {
	s := Server{Address: l.client.Address}
	if l.server.Beyond != nil {
		s.Version = l.server.Beyond.Version
	}
	if l.process != nil {
		s.Program, s.PID, s.StartTime = strings.Join(l.o.Store.Program, " "), l.process.PID, l.process.StartTime
	}
	return s
}

func (l *store) Close() error {
	var err error
	if l.client != nil {
		err = l.client.Close()
	}
	if l.process != nil {
		err = errors.Join(err, l.process.Stop(stopPatience))
		l.process = nil
	}
	return err
}

func (l *store) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	if l.over != nil {
		return nil, fmt.Errorf("load %s: %w: %w", dir, ErrOver, l.over)
	}
	model, err := filepath.Rel(l.o.Store.StoragePath, dir)
	if err != nil || !filepath.IsLocal(model) {
		return nil, fmt.Errorf("load %s: it does not lie below the store's storage path %s", dir, l.o.Store.StoragePath)
	}
	bounded, cancel := context.WithTimeout(ctx, l.o.Store.LoadTimeout)
	defer cancel()
	r := &request{store: l, dir: dir, model: model, replica: uuid.NewString(), clock: clock}
	if err := r.load(bounded); err != nil {
		l.last = ""
		return nil, l.tell(fmt.Errorf("load %s: %w", dir, err))
	}
	l.last = model
	return &Loaded{
		Checkpoint: r.checkpoint,
		Memory:     r.memory,
		Bytes:      r.checkpoint.Bytes(),
		place:      r.place,
		explain:    r.explain,
	}, nil
}

// tell adds to an error what the store said, and that it is over if it is.
func (l *store) tell(err error) error {
	said := ""
	if l.process != nil && !errors.Is(err, context.Canceled) {
		said = l.process.Said()
	}
	if l.over != nil {
		return fmt.Errorf("%w%s; %w", err, said, ErrOver)
	}
	return fmt.Errorf("%w%s", err, said)
}

// request is one load.
type request struct {
	*store
	dir            string
	model, replica string
	clock          *stage.Timeline
	begun          time.Duration // when the store was first asked

	checkpoint *checkpoint.Checkpoint
	places     map[span]int64
	memory     device.Memory
}

// load goes through the calls of a load, in the order of ServerlessLLM's client:
// the store reads while the index is read here. It leaves no memory behind when
// it fails, unless the store may still write to it.
func (r *request) load(ctx context.Context) error {
	r.begun = r.clock.Elapsed()
	end := r.clock.Start("request")
	err := r.loadToPool(ctx)
	end(0)
	if err != nil {
		r.judge(err)
		return err
	}
	asked := time.Now()
	if r.checkpoint, err = openIndex(r.dir, r.o.Format, r.clock); err != nil {
		return err
	}
	var total int64
	r.places, total = tensorPlaces(r.checkpoint)
	if r.memory, err = allocate(r.o.Device, r.checkpoint, r.place, total, r.clock); err != nil {
		return err
	}
	if total == 0 {
		return nil // there is nothing to copy, and no handle of nothing
	}
	targets, err := r.targets()
	if err != nil {
		return freeAfter(r.memory, err)
	}
	if r.server.Beyond == nil && r.model != r.last {
		end = r.clock.Start("settle")
		time.Sleep(settling - time.Since(asked))
		end(0)
	}
	end = r.clock.Start("request")
	err = r.client.LoadToTargets(ctx, r.model, r.replica, targets)
	end(0)
	if err == nil {
		end = r.clock.Start("confirm")
		err = r.client.Confirm(ctx, r.model, r.replica)
		end(0)
	}
	if err == nil {
		err = r.memory.Sync()
	}
	if err != nil {
		return r.retreat(err)
	}
	return nil
}

// place is where a tensor begins in the memory.
func (r *request) place(t checkpoint.Tensor) int64 { return r.places[span{t.File, t.Offset}] }

// loadToPool registers the model with a store that wants it so.
func (r *request) loadToPool(ctx context.Context) error {
	err := r.client.LoadToPool(ctx, r.model, r.replica)
	var e *client.Error
	if !errors.As(err, &e) || !e.MayBeUnregistered() {
		return err
	}
	if _, registerErr := r.client.Register(ctx, r.model); registerErr != nil {
		return err
	}
	return r.client.LoadToPool(ctx, r.model, r.replica)
}

// targets says what goes where: each tensor once.
func (r *request) targets() ([]client.Target, error) {
	end := r.clock.Start("handle")
	handles, placeOf, err := export(r.memory)
	end(0)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", r.o.Device.Name(), err)
	}
	targets := make([]client.Target, len(handles))
	for i, h := range handles {
		targets[i] = client.Target{Device: h.Device, Handle: h.Bytes}
	}
	bases, _ := fileBases(r.checkpoint)
	for _, t := range r.checkpoint.Distinct() {
		on, at := placeOf(r.place(t))
		targets[on].Parts = append(targets[on].Parts, client.Part{From: bases[t.File] + t.Offset, Bytes: t.Size, To: at})
	}
	return slices.DeleteFunc(targets, func(t client.Target) bool { return len(t.Parts) == 0 }), nil
}

// export makes handles of memory, and says in which of them a place of it lies.
func export(m device.Memory) (handles []device.Handle, placeOf func(int64) (int, int64), err error) {
	switch m := m.(type) {
	case device.PartsExporter:
		handles, err = m.ExportParts()
		return handles, m.PlaceOf, err
	case device.Exporter:
		h, err := m.Export()
		return []device.Handle{h}, func(offset int64) (int, int64) { return 0, offset }, err
	}
	return nil, nil, errors.New("its memory can't be given to a store")
}

// retreat frees the memory of a load that failed, once the store does not
// write to it any more. Where that can't be known a store that was started is
// ended, and memory of one that was not is left to the end of this process.
func (r *request) retreat(err error) error {
	const patience = 10 * time.Second
	if r.server.Beyond != nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if r.client.Abandon(ctx, r.model, r.replica) == nil {
			return freeAfter(r.memory, err)
		}
	}
	r.over = err
	if r.process == nil {
		return err
	}
	r.process.Kill()
	return freeAfter(r.memory, err)
}

// judge says that the loader is over if the store did not answer at all.
func (r *request) judge(err error) {
	var e *client.Error
	if errors.As(err, &e) && e.Unanswered() {
		r.over = err
	}
}

// explain takes down how the store says that the load went.
func (r *request) explain(ctx context.Context, l *Loaded) error {
	if r.server.Beyond == nil || l.Bytes == 0 {
		return nil
	}
	e, err := r.client.Explain(ctx, r.model, r.replica)
	if err != nil {
		return fmt.Errorf("ask how the load went: %w", err)
	}
	l.PoolHit, l.Evicted = &e.PoolHit, &e.EvictedBytes
	if !e.PoolHit {
		l.Direct = &e.Direct
	}
	for _, s := range e.Stages {
		s.Start, s.End = s.Start+r.begun, s.End+r.begun
		r.clock.Put(s)
	}
	return nil
}
