package pool

import (
	"unsafe"

	"github.com/sllmq/sllmq/collector/checkpoint"
)

// Resident begins a use of c's model if it lies in the pool as a whole, read
// from its files as they are now, and does nothing else. Release ends the use: until then its bytes stay where they
// are, so that a device may copy them in its own time.
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

// Stretches gives deliver all bytes of a model that is there, one after the
// other, in parts as large as they lie together in the pool.
func (f *Fetched) Stretches(deliver Deliver) error {
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
			return err
		}
	}
	return nil
}

// place is where b, which lies in the pool's memory, begins in it.
func (p *Pool) place(b []byte) int64 {
	return int64(uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(p.memory.Bytes))))
}
