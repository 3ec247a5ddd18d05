package pool

import (
	"context"
	"unsafe"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/stage"
)

// Destination is where a model's bytes go.
type Destination struct {
	Write Deliver // called from several goroutines
	// Begin starts an asynchronous Write, for devices that copy by themselves:
	// the bytes have arrived, and their chunks may be reused, once Sync has
	// returned. Nil for other devices.
	Begin Deliver
	// Sync returns when everything written is readable.
	Sync func() error
}

// CopyTo copies the model to a destination. A model in the pool goes to a device
// that copies by itself in one go, from one goroutine and in copies as long as
// the bytes are contiguous in the pool. Everything else goes request by request,
// on several goroutines.
func (f *Fetched) CopyTo(ctx context.Context, clock *stage.Timeline, to Destination) error {
	if !f.Hit || to.Begin == nil {
		if err := f.Deliver(ctx, clock, to.Write); err != nil {
			return err
		}
		return to.Sync()
	}
	begun := clock.Elapsed()
	bytes, err := f.deliverContiguous(to.Begin)
	// Copies must have ended before the chunks can be reused.
	if syncErr := to.Sync(); err == nil {
		err = syncErr
	}
	clock.Add("copy", begun, bytes)
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// Resident begins a use of c's model if the whole of it, read from its files as
// they are now, is in the pool. It does nothing otherwise.
func (p *Pool) Resident(c *checkpoint.Checkpoint) (*Fetched, bool) {
	requests, _ := p.cut(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.current(c)
	if m == nil || !m.whole {
		return nil, false
	}
	p.use(m)
	return &Fetched{Hit: true, pool: p, model: m, requests: requests}, true
}

// deliverContiguous passes all bytes of a model in the pool to deliver, in order
// and in parts as long as they are contiguous in the pool. It returns how many
// bytes were delivered.
func (f *Fetched) deliverContiguous(deliver Deliver) (bytes int64, err error) {
	for i := 0; i < len(f.requests); {
		first := f.requests[i]
		begin := f.pool.offset(f.bytes(first))
		end := begin + first.bytes
		for i++; i < len(f.requests); i++ {
			next := f.requests[i]
			if next.file != first.file || f.pool.offset(f.bytes(next)) != end {
				break
			}
			end += next.bytes
		}
		if err := deliver(first.file, first.offset, f.pool.memory.Bytes[begin:end:end]); err != nil {
			return bytes, err
		}
		bytes += end - begin
	}
	return bytes, nil
}

// offset returns where b begins in the pool's memory.
func (p *Pool) offset(b []byte) int64 {
	return int64(uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(p.memory.Bytes))))
}
