// Package pool keeps models in host memory that is cut into chunks, as the
// ServerlessLLM store does: a model comes from storage into chunks, and from
// the chunks to the device; one that is still in its chunks skips the
// storage; when there is no room, the model that was used least recently and
// is idle makes way.
//
// A model is taken from the pool only for the files that it was read from: where
// one of them has another checkpoint.Identity or size by now, since it was
// replaced or written to, the model is read anew, whoever still uses the old
// bytes. The looks at the files are those of opening the checkpoint, and cost
// nothing more.
package pool

import (
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
)

// ErrTooSmall says that a model does not fit the pool, even empty.
var ErrTooSmall = errors.New("pool is too small")

// ErrBusy says that a model would fit if those in use made way.
var ErrBusy = errors.New("every chunk of the pool is in use")

// More and smaller reads than where storage writes straight into place: each
// holds its goroutine while it copies, and a small copy lets the next read begin
// soon. Seen on a 2-core machine with virtio storage, in medians of seven: 16
// reads of 4 MiB reached 0.97 of plain reads without a copy, 32 of 4 MiB 0.95, 8
// of 16 MiB 0.92.
const (
	leastQueue  = 16
	mostRequest = 4 << 20 // bytes
)

// Options are what a pool is made from.
type Options struct {
	Bytes        int64 // capacity; rounded down to whole chunks
	ChunkBytes   int64 // a multiple of directio.Align
	Queue        int   // reads under way at once; 0: as many as Threads, and at least 16
	Threads      int
	RequestBytes int64          // of a read, at most a chunk; 0: by what there is to read
	Stream       bool           // a model that can't lie in the pool passes through it, rather than being refused
	Locker       hostmem.Locker // page-locks the pool for a device that copies from it; nil: mlock
}

// Pool is a set of chunks and the models that lie in them.
type Pool struct {
	memory   *hostmem.Buffer // rounded up to huge pages, and so perhaps more than the chunks
	chunk    int64
	capacity int // chunks
	queue    int
	request  int64
	stream   bool
	fetches  sync.WaitGroup // reading

	mu        sync.Mutex
	free      [][]byte
	models    map[string]*model
	recent    *list.List // of *model, the most recently used in front
	evictions int64
}

// model is what lies in the pool, or is on its way there.
type model struct {
	key    string
	files  []checkpoint.File // that its bytes come from, as they were before they were read
	chunks [][]byte
	users  int
	whole  bool // every chunk holds its bytes
	gone   bool // out of the pool's list: its chunks are free when nobody uses them
	place  *list.Element

	fetching *fetching // on its way by Fetch; nil else
}

// New takes the pool's memory, touches every page of it and locks it, so that
// no load pays for that. Where the limits forbid locking the pool works
// unlocked, and LockError says why.
//
// Reading something through the pages first was tried: on a virtual machine
// whose pages were touched it made the first load no faster than the next, and
// a pool of 32 GB takes ten seconds of it.
func New(o Options) (*Pool, error) {
	if o.ChunkBytes <= 0 || o.ChunkBytes%directio.Align != 0 {
		return nil, fmt.Errorf("make a pool with chunks of %d bytes: a chunk is a positive multiple of %d", o.ChunkBytes, directio.Align)
	}
	count := o.Bytes / o.ChunkBytes
	if count < 1 {
		return nil, fmt.Errorf("make a pool of %d bytes in chunks of %d: %w", o.Bytes, o.ChunkBytes, ErrTooSmall)
	}
	memory, err := hostmem.NewBuffer(o.Locker, count*o.ChunkBytes)
	if err != nil {
		return nil, fmt.Errorf("make a pool of %d bytes: %w", o.Bytes, err)
	}
	p := &Pool{
		memory:   memory,
		chunk:    o.ChunkBytes,
		capacity: int(count),
		queue:    cmp.Or(o.Queue, max(o.Threads, leastQueue)),
		request:  o.RequestBytes,
		stream:   o.Stream,
		models:   map[string]*model{},
		recent:   list.New(),
	}
	for i := range count {
		start := i * o.ChunkBytes
		p.free = append(p.free, memory.Bytes[start:start+o.ChunkBytes:start+o.ChunkBytes])
	}
	return p, nil
}

// Bytes is the pool's capacity.
func (p *Pool) Bytes() int64 { return int64(p.capacity) * p.chunk }

// LockError is why the pool's memory is not page-locked; nil if it is.
func (p *Pool) LockError() error { return p.memory.LockError }

// Evictions is how many models have made way so far.
func (p *Pool) Evictions() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.evictions
}

// Close gives the memory back. No load may be under way; for a fetch whose
// context has ended it waits.
func (p *Pool) Close() error {
	p.fetches.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.capacity - len(p.free)
	for _, m := range p.models {
		if m.users > 0 {
			return fmt.Errorf("close the pool: %s: %w", m.key, ErrBusy)
		}
		held -= len(m.chunks)
	}
	if held > 0 && p.models != nil {
		return fmt.Errorf("close the pool: %d chunks of models that are there no more: %w", held, ErrBusy)
	}
	p.free, p.models = nil, nil
	return p.memory.Close()
}

// acquire finds c's model in the pool, which is a hit, or reserves chunks for it,
// and says how many bytes made way.
func (p *Pool) acquire(c *checkpoint.Checkpoint, chunks int) (m *model, hit bool, evicted int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.current(c); m != nil {
		if !m.whole {
			return nil, false, 0, fmt.Errorf("another load of it is under way: %w", ErrBusy)
		}
		p.use(m)
		return m, true, 0, nil
	}
	m, evicted, err = p.reserve(c, chunks)
	return m, false, evicted, err
}

// current is c's model, or nil. One whose files have changed since is forgotten.
func (p *Pool) current(c *checkpoint.Checkpoint) *model {
	m := p.models[c.Dir]
	if m != nil && !slices.Equal(m.files, c.Files) {
		p.forget(m)
		return nil
	}
	return m
}

// use begins another use of m.
func (p *Pool) use(m *model) {
	m.users++
	p.recent.MoveToFront(m.place)
}

// reserve takes chunks for a new model, and says how many bytes made way.
func (p *Pool) reserve(c *checkpoint.Checkpoint, chunks int) (m *model, evicted int64, err error) {
	if chunks > p.capacity {
		return nil, 0, fmt.Errorf("it takes %d chunks of %d bytes and the pool has %d; give a larger --mem-pool-size: %w",
			chunks, p.chunk, p.capacity, ErrTooSmall)
	}
	for len(p.free) < chunks {
		before := len(p.free)
		if !p.evict() {
			return nil, evicted, fmt.Errorf("it takes %d chunks and %d are free: %w", chunks, len(p.free), ErrBusy)
		}
		evicted += int64(len(p.free)-before) * p.chunk
	}
	rest := len(p.free) - chunks
	m = &model{key: c.Dir, files: slices.Clone(c.Files), chunks: slices.Clone(p.free[rest:]), users: 1}
	p.free = p.free[:rest]
	m.place = p.recent.PushFront(m)
	p.models[m.key] = m
	return m, evicted, nil
}

// evict drops the idle model that was used least recently.
func (p *Pool) evict() bool {
	for e := p.recent.Back(); e != nil; e = e.Prev() {
		if m := e.Value.(*model); m.users == 0 {
			p.forget(m)
			p.evictions++
			return true
		}
	}
	return false
}

// forget takes m out of the list. Its chunks are free when nobody uses them any
// more.
func (p *Pool) forget(m *model) {
	if !m.gone {
		m.gone = true
		p.recent.Remove(m.place)
		delete(p.models, m.key)
	}
	if m.users == 0 {
		p.free = append(p.free, m.chunks...)
		m.chunks = nil
	}
}

// release ends a use of m, which came whole by it or not. One that is whole
// stays so, whatever became of a use. One that did not come whole is forgotten,
// and so is one whose files have changed meanwhile.
func (p *Pool) release(m *model, came bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.users--
	m.whole = m.whole || came
	if !m.whole || m.gone {
		p.forget(m)
	}
}

// Drop frees the chunks of the model whose checkpoint lies in dir, if it is
// idle, and says whether it was there. The error is ErrBusy.
func (p *Pool) Drop(dir string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.models[dir]
	if !ok {
		return false, nil
	}
	if m.users > 0 {
		return true, fmt.Errorf("it is in use: %w", ErrBusy)
	}
	p.forget(m)
	return true, nil
}

// Clear frees the chunks of every idle model, and says how many are in use and
// stay.
func (p *Pool) Clear() (inUse int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.models {
		if m.users > 0 {
			inUse++
			continue
		}
		p.forget(m)
	}
	return inUse
}

// Usage is how many models lie in the pool or are on their way, and how many
// bytes of chunks nobody has.
func (p *Pool) Usage() (models int, freeBytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.models), int64(len(p.free)) * p.chunk
}
