package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/stage"
	"github.com/sllmq/sllmq/collector/workqueue"
)

// arrival is the state of a model that Fetch is reading into the pool.
type arrival struct {
	read   []chan struct{} // one per request, closed when its bytes have been read
	ended  chan struct{}   // closed when reading has ended
	direct bool
	err    error // why reading failed; set before ended is closed
}

// Fetched is a use of a model that is in the pool or on its way there. The pool
// keeps the model until Release.
type Fetched struct {
	Hit     bool  // every byte of these files was in the pool when Fetch was called
	Joined  bool  // an earlier Fetch was reading the model already
	Evicted int64 // bytes of chunks of other models that were evicted

	pool     *Pool
	model    *model
	requests []readRequest
	arrival  *arrival // nil: the whole model is there
}

// Fetch begins a use of c's model and returns at once. If the model is not in the
// pool with its files as they are now, and no other Fetch is reading it, Fetch
// reserves room for it, opens its files with open and reads them in the
// background until ctx ends. Reads are reported to clock.
//
// Fetch fails if it is clear that reading can't succeed: with ErrTooSmall,
// ErrBusy, or the error of opening the files.
//
// Unlike Load, which reads and delivers on the same goroutines, Fetch lets
// several users deliver what is read once.
func (p *Pool) Fetch(ctx context.Context, c *checkpoint.Checkpoint, open Opener, clock *stage.Timeline) (*Fetched, error) {
	requests, chunks := p.cut(c)
	f, err := p.find(c, requests, chunks)
	if err != nil || f.Hit || f.Joined {
		return f, err
	}
	files, err := open()
	if err != nil {
		p.endArrival(f.model, err)
		f.Release()
		return nil, err
	}
	f.arrival.direct = files.Direct()
	p.fetches.Go(func() {
		err := f.read(ctx, files, clock)
		p.endArrival(f.model, errors.Join(err, files.Close()))
	})
	return f, nil
}

// find begins a use of c's model, and reserves chunks for one that is not in the
// pool. A new model has a second user, which is the reading.
func (p *Pool) find(c *checkpoint.Checkpoint, requests []readRequest, chunks int) (*Fetched, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &Fetched{pool: p, requests: requests}
	if m := p.current(c); m != nil {
		if !m.whole && m.arrival == nil {
			return nil, fmt.Errorf("another load is reading it: %w", ErrBusy)
		}
		p.use(m)
		f.model, f.arrival, f.Hit, f.Joined = m, m.arrival, m.whole, !m.whole
		return f, nil
	}
	m, evicted, err := p.reserve(c, chunks)
	if err != nil {
		return nil, err
	}
	m.users++
	m.arrival = &arrival{read: make([]chan struct{}, len(requests)), ended: make(chan struct{})}
	for i := range m.arrival.read {
		m.arrival.read[i] = make(chan struct{})
	}
	f.model, f.Evicted, f.arrival = m, evicted, m.arrival
	return f, nil
}

func (f *Fetched) read(ctx context.Context, files directio.Files, clock *stage.Timeline) error {
	return workqueue.Run(ctx, len(f.requests), f.pool.depth, func(_ context.Context, i, _ int) error {
		r := f.requests[i]
		begun := clock.Elapsed()
		n, err := files[r.file].ReadAt(f.bytes(r), r.offset)
		clock.Add("read", begun, int64(n))
		if err == nil {
			close(f.arrival.read[i])
		}
		return err
	})
}

// endArrival ends the reading's use of m and wakes all who wait for it.
func (p *Pool) endArrival(m *model, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := m.arrival
	m.arrival = nil
	m.users--
	m.whole = err == nil
	if !m.whole || m.gone {
		p.remove(m)
	}
	a.err = err
	close(a.ended)
}

// Wait waits until the model has been read, and returns the error of reading it.
func (f *Fetched) Wait(ctx context.Context) error {
	if f.arrival == nil {
		return nil
	}
	select {
	case <-f.arrival.ended:
		return f.arrival.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Direct reports whether the model was read past the page cache; false for a hit.
// It is known once Wait has returned.
func (f *Fetched) Direct() bool { return f.arrival != nil && f.arrival.direct }

// Deliver passes every byte to deliver, each part as soon as it has been read.
func (f *Fetched) Deliver(ctx context.Context, clock *stage.Timeline, deliver Deliver) error {
	err := workqueue.Run(ctx, len(f.requests), f.pool.depth, func(ctx context.Context, i, _ int) error {
		if err := f.await(ctx, i); err != nil {
			return err
		}
		r := f.requests[i]
		begun := clock.Elapsed()
		err := deliver(r.file, r.offset, f.bytes(r))
		clock.Add("copy", begun, r.bytes)
		if err != nil {
			return fmt.Errorf("copy to the device: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// The reading must have ended as well.
	return f.Wait(ctx)
}

// await waits until a request has been read.
func (f *Fetched) await(ctx context.Context, i int) error {
	if f.arrival == nil {
		return nil
	}
	select {
	case <-f.arrival.read[i]:
		return nil
	case <-f.arrival.ended:
		return f.arrival.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bytes returns the chunk's bytes of a request.
func (f *Fetched) bytes(r readRequest) []byte {
	return f.model.chunks[r.chunk][r.within : r.within+r.bytes]
}

// Release ends the use of the model, which may then be evicted.
func (f *Fetched) Release() {
	p := f.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	f.model.users--
	if f.model.gone {
		p.remove(f.model)
	}
}
