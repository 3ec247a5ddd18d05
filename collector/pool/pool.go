// Package pool keeps models in chunks of host memory, as ServerlessLLM's store
// does. A model is read from storage into chunks, and copied from the chunks to
// the device. While it stays in its chunks, loading it again reads no storage.
// When there is no room, the pool evicts the idle model that was used least
// recently.
//
// Load reads and delivers a model on the same goroutines; Fetch reads it in the
// background for any number of users.
//
// A pooled model is used only for the files that it was read from. If one of them
// has another checkpoint.Identity or size, because it was replaced or written to,
// the model is read again, even while the old bytes are still in use. Opening the
// checkpoint has looked at the files already, so this costs nothing more.
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

// ErrTooSmall reports that a model does not fit in the pool, even if it is empty.
var ErrTooSmall = errors.New("pool is too small")

// ErrBusy reports that a model would fit if models in use were evicted.
var ErrBusy = errors.New("every chunk of the pool is in use")

// The pool uses more and smaller reads than loaders that read straight into
// place: each read holds its goroutine while it is copied, and a small copy lets
// the next read begin sooner. On a 2-core machine with virtio storage, in medians
// of seven, 16 reads of 4 MiB reached 0.97 of plain reads without a copy, 32 of
// 4 MiB 0.95, 8 of 16 MiB 0.92.
const (
	minDepth   = 16
	maxRequest = 4 << 20 // bytes
)

// Options configure a pool.
type Options struct {
	Bytes        int64 // capacity, rounded down to whole chunks
	ChunkBytes   int64 // a multiple of directio.Align
	Depth        int   // reads in flight; 0: Threads, and at least 16
	Threads      int
	RequestBytes int64          // of a read, at most a chunk; 0: by the bytes to read
	Stream       bool           // stream a model that does not fit through the pool, instead of refusing it
	Locker       hostmem.Locker // page-locks the pool for a device that copies from it; nil: mlock
}

// Pool is a set of chunks and the models in them.
type Pool struct {
	memory   *hostmem.Buffer // rounded up to huge pages; may be larger than the chunks
	chunk    int64
	capacity int // chunks
	depth    int // reads in flight
	request  int64
	stream   bool
	fetches  sync.WaitGroup // fetches that still read

	mu        sync.Mutex
	free      [][]byte
	models    map[string]*model
	recent    *list.List // of *model, the most recently used in front
	evictions int64
}

// model is a model in the pool, or on its way there.
type model struct {
	key     string
	files   []checkpoint.File // that its bytes come from, as they were before reading
	chunks  [][]byte
	users   int
	whole   bool // every chunk has been read
	gone    bool // removed from the pool; its chunks are freed with the last user
	element *list.Element

	arrival *arrival // if Fetch is reading it
}

// New allocates the pool's memory, touches every page and locks it, so that no
// load pays for that. If limits forbid locking, the pool works unlocked and
// LockError returns the reason.
//
// Reading a file through the pages first was tried and is not worth it: on a
// virtual machine with touched pages the first load became no faster than the
// next, and a pool of 32 GB needs ten seconds for it.
func New(o Options) (*Pool, error) {
	if o.ChunkBytes <= 0 || o.ChunkBytes%directio.Align != 0 {
		return nil, fmt.Errorf("create a pool with chunks of %d bytes: the chunk size must be a positive multiple of %d", o.ChunkBytes, directio.Align)
	}
	count := o.Bytes / o.ChunkBytes
	if count < 1 {
		return nil, fmt.Errorf("create a pool of %d bytes in chunks of %d: %w", o.Bytes, o.ChunkBytes, ErrTooSmall)
	}
	memory, err := hostmem.NewBuffer(o.Locker, count*o.ChunkBytes)
	if err != nil {
		return nil, fmt.Errorf("create a pool of %d bytes: %w", o.Bytes, err)
	}
	p := &Pool{
		memory:   memory,
		chunk:    o.ChunkBytes,
		capacity: int(count),
		depth:    cmp.Or(o.Depth, max(o.Threads, minDepth)),
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

// Bytes returns the pool's capacity.
func (p *Pool) Bytes() int64 { return int64(p.capacity) * p.chunk }

// LockError returns why the pool's memory is not page-locked; nil if it is.
func (p *Pool) LockError() error { return p.memory.LockError }

// Evictions returns how many models the pool has evicted to make room.
func (p *Pool) Evictions() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.evictions
}

// Close frees the memory. No load may be running; Close waits for fetches whose
// context has ended.
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
		return fmt.Errorf("close the pool: %d chunks of removed models are still used: %w", held, ErrBusy)
	}
	p.free, p.models = nil, nil
	return p.memory.Close()
}

// acquire begins a use of c's model: the one in the pool, which is a hit, or a
// new one, for which it evicts the returned number of bytes.
func (p *Pool) acquire(c *checkpoint.Checkpoint, chunks int) (m *model, hit bool, evicted int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.current(c); m != nil {
		if !m.whole {
			return nil, false, 0, fmt.Errorf("another load is reading it: %w", ErrBusy)
		}
		p.use(m)
		return m, true, 0, nil
	}
	m, evicted, err = p.reserve(c, chunks)
	return m, false, evicted, err
}

// current returns c's model, or nil. It removes one whose files have changed.
func (p *Pool) current(c *checkpoint.Checkpoint) *model {
	m := p.models[c.Dir]
	if m != nil && !slices.Equal(m.files, c.Files) {
		p.remove(m)
		return nil
	}
	return m
}

// use begins another use of m.
func (p *Pool) use(m *model) {
	m.users++
	p.recent.MoveToFront(m.element)
}

// reserve takes chunks for a new model with one user. It evicts others for that
// and returns their bytes.
func (p *Pool) reserve(c *checkpoint.Checkpoint, chunks int) (m *model, evicted int64, err error) {
	if chunks > p.capacity {
		return nil, 0, fmt.Errorf("it needs %d chunks of %d bytes and the pool has %d: use a larger pool: %w",
			chunks, p.chunk, p.capacity, ErrTooSmall)
	}
	for len(p.free) < chunks {
		before := len(p.free)
		if !p.evict() {
			return nil, evicted, fmt.Errorf("it needs %d chunks and %d are free: %w", chunks, len(p.free), ErrBusy)
		}
		evicted += int64(len(p.free)-before) * p.chunk
	}
	rest := len(p.free) - chunks
	m = &model{key: c.Dir, files: slices.Clone(c.Files), chunks: slices.Clone(p.free[rest:]), users: 1}
	p.free = p.free[:rest]
	m.element = p.recent.PushFront(m)
	p.models[m.key] = m
	return m, evicted, nil
}

// evict removes the idle model that was used least recently. It returns false if
// every model is in use.
func (p *Pool) evict() bool {
	for e := p.recent.Back(); e != nil; e = e.Prev() {
		if m := e.Value.(*model); m.users == 0 {
			p.remove(m)
			p.evictions++
			return true
		}
	}
	return false
}

// remove takes m out of the pool. Its chunks become free when it has no user.
func (p *Pool) remove(m *model) {
	if !m.gone {
		m.gone = true
		p.recent.Remove(m.element)
		delete(p.models, m.key)
	}
	if m.users == 0 {
		p.free = append(p.free, m.chunks...)
		m.chunks = nil
	}
}

// release ends a use of m; read says whether that use has read all of it. A
// model that is whole stays whole, however a use of it ended. One that is not, or
// whose files have changed meanwhile, is removed.
func (p *Pool) release(m *model, read bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.users--
	m.whole = m.whole || read
	if !m.whole || m.gone {
		p.remove(m)
	}
}

// Drop removes the model of the checkpoint in dir and reports whether the pool
// had it. It fails with ErrBusy if the model is in use.
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
	p.remove(m)
	return true, nil
}

// Clear removes every idle model, and returns how many stay because they are in
// use.
func (p *Pool) Clear() (inUse int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.models {
		if m.users > 0 {
			inUse++
			continue
		}
		p.remove(m)
	}
	return inUse
}

// Usage returns how many models are in the pool or on their way, and how many
// bytes of chunks are free.
func (p *Pool) Usage() (models int, freeBytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.models), int64(len(p.free)) * p.chunk
}
