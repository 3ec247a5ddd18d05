package pool

import (
	"context"
	"unsafe"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/stage"
)

// Destination is where a model's bytes go.
type Destination struct {
	Write Deliver // is called from several goroutines
	// Begin is Write of a device that copies by itself: the bytes are there, and
	// the pool's may be given to others, when Sync has returned. Nil for others.
	Begin Deliver
	// Sync returns when all is readable.
	Sync func() error
}

// Bring brings every byte to a destination. What lies in the pool goes to a
// device that copies by itself in one go, told by one goroutine: in copies as
// large as the bytes lie together. All else goes request by request, on several
// goroutines.
func (f *Fetched) Bring(ctx context.Context, clock *stage.Timeline, to Destination) error {
	if !f.Hit || to.Begin == nil {
		if err := f.Deliver(ctx, clock, to.Write); err != nil {
			return err
		}
		return to.Sync()
	}
	begun := clock.Elapsed()
	bytes, err := f.stretches(to.Begin)
	// Whatever was begun has to end before others may have the chunks.
	if syncErr := to.Sync(); err == nil {
		err = syncErr
	}
	clock.Add("copy", begun, bytes)
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// Resident begins a use of c's model if it lies in the pool as a whole, read
// from its files as they are now, and does nothing else. Release ends the use: until then its bytes stay where they
// are.
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

// stretches gives deliver all bytes of a model that is there, one after the
// other, in parts as large as they lie together in the pool, and says how many
// that were.
func (f *Fetched) stretches(deliver Deliver) (bytes int64, err error) {
	for i := 0; i < len(f.requests); {
		first := f.requests[i]
		begin := f.pool.place(f.bytes(first))
		end := begin + first.bytes
		for i++; i < len(f.requests); i++ {
			next := f.requests[i]
			if next.file != first.file || f.pool.place(f.bytes(next)) != end {
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

// place is where b, which lies in the pool's memory, begins in it.
func (p *Pool) place(b []byte) int64 {
	return int64(uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(p.memory.Bytes))))
}
