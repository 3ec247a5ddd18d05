package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/stage"
)

// fetching is a model on its way into the pool by Fetch.
type fetching struct {
	there  []chan struct{} // one for each request, closed when its bytes are there
	ended  chan struct{}   // closed when no more come
	direct bool
	err    error // why not all came; set before ended is closed
}

// Fetched is a model that lies in the pool or is on its way there. Its chunks
// are held until Release.
type Fetched struct {
	Hit     bool  // every byte of these very files lay in the pool when it was asked for
	Joined  bool  // another had asked for it, and it was on its way
	Evicted int64 // bytes of chunks of other models that made way

	pool     *Pool
	model    *model
	requests []request
	fetching *fetching // nil: all is there
}

// Opener opens a checkpoint's files.
type Opener func() (directio.Files, error)

// Fetch reserves room for c, begins to read it if it does not lie in the pool,
// as its files are now, and is not on its way, and returns at once. Where a fetch can't succeed it
// fails: with ErrTooSmall, ErrBusy, or because its files can't be opened. The
// reading stops when ctx ends; clock hears of it.
//
// Unlike Load, which reads and delivers on the same goroutines, Fetch lets
// several deliver what one reads.
func (p *Pool) Fetch(ctx context.Context, c *checkpoint.Checkpoint, open Opener, clock *stage.Timeline) (*Fetched, error) {
	requests, chunks := p.cut(c)
	f, err := p.find(c, requests, chunks)
	if err != nil || f.Hit || f.Joined {
		return f, err
	}
	files, err := open()
	if err != nil {
		p.stopFetching(f.model, err)
		f.Release()
		return nil, err
	}
	f.fetching.direct = files.Direct()
	p.fetches.Go(func() {
		err := f.read(ctx, files, clock)
		p.stopFetching(f.model, errors.Join(err, files.Close()))
	})
	return f, nil
}

// find begins a use of the model, and reserves chunks where there is none. One
// that is new has a second use, which is the reading's.
func (p *Pool) find(c *checkpoint.Checkpoint, requests []request, chunks int) (*Fetched, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &Fetched{pool: p, requests: requests}
	if m := p.current(c); m != nil {
		if !m.whole && m.fetching == nil {
			return nil, fmt.Errorf("another load of it is under way: %w", ErrBusy)
		}
		p.use(m)
		f.model, f.fetching, f.Hit, f.Joined = m, m.fetching, m.whole, !m.whole
		return f, nil
	}
	m, evicted, err := p.reserve(c, chunks)
	if err != nil {
		return nil, err
	}
	m.users++
	m.fetching = &fetching{there: make([]chan struct{}, len(requests)), ended: make(chan struct{})}
	for i := range m.fetching.there {
		m.fetching.there[i] = make(chan struct{})
	}
	f.model, f.Evicted, f.fetching = m, evicted, m.fetching
	return f, nil
}

func (f *Fetched) read(ctx context.Context, files directio.Files, clock *stage.Timeline) error {
	return each(ctx, len(f.requests), min(f.pool.queue, len(f.requests)), func(_ context.Context, i, _ int) error {
		r := f.requests[i]
		begun := clock.Elapsed()
		n, err := files[r.file].ReadAt(f.bytes(r), r.offset)
		clock.Add("read", begun, int64(n))
		if err == nil {
			close(f.fetching.there[i])
		}
		return err
	})
}

// stopFetching ends the reading's use of m, and then tells those who wait.
func (p *Pool) stopFetching(m *model, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := m.fetching
	m.fetching = nil
	m.users--
	m.whole = err == nil
	if !m.whole || m.gone {
		p.forget(m)
	}
	f.err = err
	close(f.ended)
}

// Wait waits until every byte is there, and says why it is not.
func (f *Fetched) Wait(ctx context.Context) error {
	if f.fetching == nil {
		return nil
	}
	select {
	case <-f.fetching.ended:
		return f.fetching.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Direct says that the bytes came past the page cache; false for a hit. It is
// known when Wait has returned.
func (f *Fetched) Direct() bool { return f.fetching != nil && f.fetching.direct }

// Deliver brings every byte to deliver, each part as soon as it is there.
func (f *Fetched) Deliver(ctx context.Context, clock *stage.Timeline, deliver Deliver) error {
	err := each(ctx, len(f.requests), min(f.pool.queue, len(f.requests)), func(ctx context.Context, i, _ int) error {
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
	// Whoever reads has to be done with the model too.
	return f.Wait(ctx)
}

// await waits for the bytes of a request.
func (f *Fetched) await(ctx context.Context, i int) error {
	if f.fetching == nil {
		return nil
	}
	select {
	case <-f.fetching.there[i]:
		return nil
	case <-f.fetching.ended:
		return f.fetching.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bytes is where the bytes of a request lie.
func (f *Fetched) bytes(r request) []byte {
	return f.model.chunks[r.chunk][r.within : r.within+r.bytes]
}

// Release ends the use of the model: it may make way.
func (f *Fetched) Release() {
	p := f.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	f.model.users--
	if f.model.gone {
		p.forget(f.model)
	}
}
