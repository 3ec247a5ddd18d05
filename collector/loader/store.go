package loader

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/stage"
)

// ErrOver reports that a loader can't load any more. Its process has to end;
// another may continue.
var ErrOver = errors.New("this worker can't load any more")

// StoreOptions select the running store that a loader is a client of.
type StoreOptions struct {
	Address     string        `json:"address"`      // HOST:PORT
	StoragePath string        `json:"storage_path"` // folder that the models are below
	LoadTimeout time.Duration `json:"load_timeout"` // of one load
}

// store loads as ServerlessLLM does (load_dict_non_blocking in sllm_store/torch.py
// of serverless-llm-store 0.8.0): as a client of an sllm-store, a server that
// keeps models in its pool and copies them to memory that the client allocated.
// One load is: LoadModelAsync to host memory, read the index, allocate memory and
// export its handle, LoadModelAsync to the device, ConfirmModel.
//
// On a GPU this is the store's contract, and any server will do. The contract has
// no host memory as a target, and no way to learn when a model is in the server's
// pool. On host the loader therefore needs sllmq's own server, which accepts
// handles of host memory: the same calls then copy every byte into this process.
// That memory is the same for all loads of a session, and the server keeps it
// mapped from the first one on.
type store struct {
	o      Options
	client *client.Client
	server client.Server
	last   string // the model loaded last, which is in the pool
	over   error  // why it can't load any more

	abandoned device.Memory // that the store may still write to; nil: none
}

var (
	_ Loader   = (*store)(nil)
	_ Preparer = (*store)(nil)
)

// settling is the time between asking ServerlessLLM's store to load a model to
// host memory and asking for a GPU. The store crashes unless its thread for the
// first has started before the one for the second; on a busy machine that takes
// some milliseconds, and a client can't tell when it has happened. The store reads
// meanwhile.
const settling = 10 * time.Millisecond

func openStore(ctx context.Context, o Options) (Loader, error) {
	l := &store{o: o}
	if err := l.open(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *store) open(ctx context.Context) (err error) {
	if l.client, err = client.Dial(l.o.Store.Address); err != nil {
		return err
	}
	if l.server, err = l.client.Describe(ctx); err != nil {
		return fmt.Errorf("describe the store: %w", err)
	}
	return Suits(l.server, l.o.Device.Name(), l.o.Store.Address)
}

// Suits returns why a store can't load models to a device; nil if it can.
func Suits(s client.Server, deviceName, address string) error {
	if deviceName == device.Host && (s.Beyond == nil || s.Beyond.HostDevice == "") {
		return fmt.Errorf("the store at %s loads to GPUs only: use a GPU as the device, or sllmq's own store", address)
	}
	return nil
}

func (l *store) Prepared() Prepared {
	p := Prepared{PoolBytes: l.server.PoolBytes}
	b := l.server.Beyond
	if b == nil {
		p.LockUnknown = true
		return p
	}
	p.StoreVersion = b.Version
	if !b.PoolLocked {
		p.LockError = errors.New(b.LockReason)
	}
	return p
}

// Close frees abandoned memory too: a parent that started the store has ended it
// by now.
func (l *store) Close() error {
	var err error
	if l.abandoned != nil {
		err = l.abandoned.Free()
		l.abandoned = nil
	}
	if l.client != nil {
		err = errors.Join(err, l.client.Close())
	}
	return err
}

func (l *store) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	if l.over != nil {
		return nil, fmt.Errorf("load %s: %w: %w", dir, ErrOver, l.over)
	}
	model, err := filepath.Rel(l.o.Store.StoragePath, dir)
	if err != nil || !filepath.IsLocal(model) {
		return nil, fmt.Errorf("load %s: it is not below the store's storage path %s", dir, l.o.Store.StoragePath)
	}
	bounded, cancel := context.WithTimeout(ctx, l.o.Store.LoadTimeout)
	defer cancel()
	s := &storeLoad{store: l, dir: dir, model: model, replica: uuid.NewString(), clock: clock}
	if err := s.load(bounded); err != nil {
		l.last = ""
		return nil, fmt.Errorf("load %s: %w", dir, l.withOver(err))
	}
	l.last = model
	return &Loaded{
		Checkpoint: s.checkpoint,
		Memory:     s.memory,
		Bytes:      s.checkpoint.Bytes(),
		place:      s.place,
		explain:    s.explain,
	}, nil
}

// withOver adds ErrOver to an error if the loader can't load any more.
func (l *store) withOver(err error) error {
	if l.over == nil {
		return err
	}
	return fmt.Errorf("%w; %w", err, ErrOver)
}

// storeLoad is one load.
type storeLoad struct {
	*store
	dir            string
	model, replica string
	clock          *stage.Timeline
	begun          time.Duration // when the store received the first call

	checkpoint *checkpoint.Checkpoint
	places     map[span]int64
	memory     device.Memory
}

// load makes the calls of a load in the order of ServerlessLLM's client: the
// store reads while this process reads the index. If it fails it frees the
// memory, unless the store may still write to it.
func (s *storeLoad) load(ctx context.Context) error {
	s.begun = s.clock.Elapsed()
	end := s.clock.Start("request")
	err := s.loadToPool(ctx)
	end(0)
	if err != nil {
		s.checkAnswered(err)
		return err
	}
	asked := time.Now()
	if s.checkpoint, err = openIndex(s.dir, s.o.Format, s.clock); err != nil {
		return err
	}
	var total int64
	s.places, total = tensorPlaces(s.checkpoint)
	if s.memory, err = allocate(s.o.Device, s.checkpoint, s.place, total, s.clock); err != nil {
		return err
	}
	if total == 0 {
		return nil // nothing to copy, and empty memory has no handle
	}
	targets, err := s.targets()
	if err != nil {
		return freeAfter(s.memory, err)
	}
	if s.server.Beyond == nil && s.model != s.last {
		end = s.clock.Start("settle")
		time.Sleep(settling - time.Since(asked))
		end(0)
	}
	end = s.clock.Start("request")
	err = s.client.LoadToTargets(ctx, s.model, s.replica, targets)
	end(0)
	if err == nil {
		end = s.clock.Start("confirm")
		err = s.client.Confirm(ctx, s.model, s.replica)
		end(0)
	}
	if err == nil {
		err = s.memory.Sync()
	}
	if err != nil {
		return s.abandon(err)
	}
	return nil
}

// place returns a tensor's offset in the memory.
func (s *storeLoad) place(t checkpoint.Tensor) int64 { return s.places[span{t.File, t.Offset}] }

// loadToPool asks the store to load the model to its pool, and registers the
// model first if the store requires it.
func (s *storeLoad) loadToPool(ctx context.Context) error {
	err := s.client.LoadToPool(ctx, s.model, s.replica)
	var e *client.Error
	if !errors.As(err, &e) || !e.MayBeUnregistered() {
		return err
	}
	if _, registerErr := s.client.Register(ctx, s.model); registerErr != nil {
		return err
	}
	return s.client.LoadToPool(ctx, s.model, s.replica)
}

// targets lists what the store has to copy where, each tensor once.
func (s *storeLoad) targets() ([]client.Target, error) {
	end := s.clock.Start("handle")
	handles, placeOf, err := export(s.memory)
	end(0)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", s.o.Device.Name(), err)
	}
	targets := make([]client.Target, len(handles))
	for i, h := range handles {
		targets[i] = client.Target{Device: h.Device, Handle: h.Bytes}
	}
	bases, _ := fileBases(s.checkpoint)
	for _, t := range s.checkpoint.Distinct() {
		on, at := placeOf(s.place(t))
		targets[on].Parts = append(targets[on].Parts, client.Part{From: bases[t.File] + t.Offset, Bytes: t.Size, To: at})
	}
	return slices.DeleteFunc(targets, func(t client.Target) bool { return len(t.Parts) == 0 }), nil
}

// export returns handles of the memory, and a function from an offset in the
// memory to a handle's index and the offset in that handle's memory.
func export(m device.Memory) (handles []device.Handle, placeOf func(int64) (int, int64), err error) {
	switch m := m.(type) {
	case device.PartsExporter:
		handles, err = m.ExportParts()
		return handles, m.PlaceOf, err
	case device.Exporter:
		h, err := m.Export()
		return []device.Handle{h}, func(offset int64) (int, int64) { return 0, offset }, err
	}
	return nil, nil, errors.New("its memory can't be shared with a store")
}

// abandon frees the memory of a load that failed, once the store no longer writes
// to it. If that can't be known the loader is over, and keeps the memory until it
// is closed.
func (s *storeLoad) abandon(err error) error {
	const timeout = 10 * time.Second
	if s.server.Beyond != nil {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if s.client.Abandon(ctx, s.model, s.replica) == nil {
			return freeAfter(s.memory, err)
		}
	}
	s.over, s.abandoned = err, s.memory
	return err
}

// checkAnswered marks the loader as over if the store did not answer at all.
func (s *storeLoad) checkAnswered(err error) {
	var e *client.Error
	if errors.As(err, &e) && e.Unanswered() {
		s.over = err
	}
}

// explain adds the store's account of the load to l and to the clock.
func (s *storeLoad) explain(ctx context.Context, l *Loaded) error {
	if s.server.Beyond == nil || l.Bytes == 0 {
		return nil
	}
	e, err := s.client.Explain(ctx, s.model, s.replica)
	if err != nil {
		s.checkAnswered(err)
		return fmt.Errorf("explain the load: %w", s.withOver(err))
	}
	l.PoolHit, l.Evicted = &e.PoolHit, &e.EvictedBytes
	if !e.PoolHit {
		l.Direct = &e.Direct
	}
	for _, part := range e.Stages {
		part.Start, part.End = part.Start+s.begun, part.End+s.begun
		s.clock.Put(part)
	}
	return nil
}
