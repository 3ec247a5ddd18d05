// Package loader implements techniques of loading a checkpoint to a device, one
// per file.
//
// Techniques lists them. Each reproduces a program that people load models with
// and names it, with its version and where in its sources the technique is; or,
// like raw, it measures a limit. Find looks one up by name, its Open returns a
// Loader for one device, and Load loads one checkpoint as often as it is called:
//
//	technique, err := loader.Find("direct")
//	l, err := technique.Open(ctx, loader.Options{Format: checkpoint.SafeTensors, Device: d, Threads: 4})
//	loaded, err := l.Load(ctx, dir, stage.Begin())
//
// Everything in Load is timed. What a program sets up once per process, such as a
// pool or page-locked buffers, belongs in Open.
package loader

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/stage"
)

// Loader loads checkpoints to the device that it was opened with.
type Loader interface {
	// Load loads the checkpoint in dir and returns when the last byte of its
	// last tensor is readable on the device. It reports its stages to clock. If
	// it fails it leaves nothing allocated, open or mapped.
	Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error)
	// Close frees what the loader keeps between loads.
	Close() error
}

// Preparer is implemented by loaders that set up a pool when they are opened.
type Preparer interface {
	Prepared() Prepared
}

// Prepared describes a loader's pool.
type Prepared struct {
	PoolBytes    int64
	LockError    error  // why the pool is not page-locked; nil if it is
	LockUnknown  bool   // the server does not report whether it is
	StoreVersion string // of an sllm-store; empty: unknown
}

// Loaded is a checkpoint on a device.
type Loaded struct {
	Checkpoint *checkpoint.Checkpoint
	Memory     device.Memory // nil: the bytes were dropped (raw)
	Bytes      int64         // loaded, counting tied tensors once
	Direct     *bool         // whether O_DIRECT was in force; nil: the technique never uses it
	PoolHit    *bool         // whether the model was in the pool; nil: no pool
	Streamed   *bool         // whether the model, larger than the pool, was streamed through it; nil: no pool
	Evicted    *int64        // bytes of other models evicted from the pool; nil: no pool
	Reading    Reading

	place   func(t checkpoint.Tensor) int64
	explain func(ctx context.Context, l *Loaded) error // nil: nothing to ask
}

// Explain adds to l, and to the clock of its load, what only a server knows of
// the load. Call it after the load's time has been taken.
func (l *Loaded) Explain(ctx context.Context) error {
	if l.explain == nil {
		return nil
	}
	return l.explain(ctx, l)
}

// Reading describes how the files were read, as opposed to what was asked for.
type Reading struct {
	Method string // pread, mmap, cufile or cufile compat; empty: nothing was read
	Depth  int    // most requests in flight; for mmap, threads
	Bytes  int64  // of the largest request; 0: the kernel's read-ahead decides
}

// preads returns the Reading of requests with the given queue depth.
func preads(depth int, requests []readRequest) Reading {
	r := Reading{Method: "pread", Depth: min(depth, len(requests))}
	for _, q := range requests {
		r.Bytes = max(r.Bytes, q.bytes)
	}
	return r
}

// Read copies the tensor's bytes from the device to dst, which must have the
// tensor's size.
func (l *Loaded) Read(t checkpoint.Tensor, dst []byte) error {
	return l.Memory.Read(l.place(t), dst)
}

// View returns the tensor's bytes in place, valid until Free. It returns false
// if the CPU can't address the device's memory.
func (l *Loaded) View(t checkpoint.Tensor) ([]byte, bool) {
	m, ok := l.Memory.(device.Addressable)
	if !ok {
		return nil, false
	}
	if t.Size == 0 {
		return nil, true
	}
	at := l.place(t)
	return m.Bytes()[at : at+t.Size : at+t.Size], true
}

// Locate returns the tensor's address on a GPU. It returns false for other
// devices.
func (l *Loaded) Locate(t checkpoint.Tensor) (*cuda.Context, cuda.Pointer, bool) {
	m, ok := l.Memory.(device.OnGPU)
	if !ok {
		return nil, 0, false
	}
	if t.Size == 0 {
		return nil, 0, true
	}
	context, at := m.Locate(l.place(t))
	return context, at, true
}

// Free frees the device's memory.
func (l *Loaded) Free() error {
	if l.Memory == nil {
		return nil
	}
	return l.Memory.Free()
}

// Options configure a loader.
type Options struct {
	Format     checkpoint.Format
	Device     device.Device
	Threads    int   // least number of reads in flight, for loaders that let it be chosen
	ChunkBytes int64 // of the pool
	Depth      int   // reads in flight; 0: by Threads
	IOBytes    int64 // of one read; 0: by the bytes to read
	PoolBytes  int64
	Stream     bool   // pool only: stream a model that is larger than the pool through it
	GDS        string // direct to a GPU only: GDSRequire or GDSCompat; empty: GDSOff
	CuFile     string // path of the GPUDirect Storage library; empty: the usual places
	Buffered   bool   // raw only: read through the page cache, as cached loads do
	Store      StoreOptions
}

// Technique describes a loader and opens it.
type Technique struct {
	Name     string
	Formats  []checkpoint.Format
	Pooled   bool // needs a pool of host memory
	Staged   bool // needs page-locked buffers as large as tensors: see StagingBytes
	Streamed bool // needs page-locked buffers for a GPU: see ReadBufferBytes
	Device   bool // loads to a device instead of dropping the bytes
	Served   bool // a server holds the pool and writes to the device's memory
	Mapped   bool // copies from mapped files, and so through the page cache
	Open     func(context.Context, Options) (Loader, error)

	ownThreads int // threads that move bytes, if the loader fixes their number
}

// Techniques returns the techniques implemented in Go.
func Techniques() []Technique {
	safetensors := []checkpoint.Format{checkpoint.SafeTensors}
	sllm := []checkpoint.Format{checkpoint.SLLM}
	both := []checkpoint.Format{checkpoint.SafeTensors, checkpoint.SLLM}
	return []Technique{
		{Name: "mmap", Formats: safetensors, Mapped: true, Device: true, Open: openMmap, ownThreads: 1},
		{Name: "mmap-parallel", Formats: safetensors, Mapped: true, Device: true, Open: openMmapParallel, ownThreads: parallelThreads()},
		{Name: "pinned", Formats: safetensors, Mapped: true, Staged: true, Device: true, Open: openPinned, ownThreads: 1},
		{Name: "direct", Formats: both, Device: true, Streamed: true, Open: openDirect},
		{Name: "pool", Formats: sllm, Pooled: true, Device: true, Open: openPool},
		{Name: "store", Formats: sllm, Pooled: true, Served: true, Device: true, Open: openStore},
		{Name: "raw", Formats: both, Open: openRaw},
	}
}

// Find returns the technique of that name.
func Find(name string) (Technique, error) {
	return find(name, Techniques())
}

func find(name string, among []Technique) (Technique, error) {
	var names []string
	for _, t := range among {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Technique{}, fmt.Errorf("unknown loader %q: use one of %s", name, strings.Join(names, ", "))
}

// Default returns the loader that reproduces how most people load a format
// today.
func Default(f checkpoint.Format) string {
	if f == checkpoint.SLLM {
		return "pool"
	}
	return "mmap-parallel"
}

// Threads returns how many threads move bytes when asked are configured, which
// some loaders ignore.
func (t Technique) Threads(asked int) int {
	if t.ownThreads > 0 {
		return t.ownThreads
	}
	return max(1, asked)
}

// Takes reports whether the technique loads the format.
func (t Technique) Takes(f checkpoint.Format) bool { return slices.Contains(t.Formats, f) }

// depth returns the number of reads in flight, for loaders that let it be chosen.
func (o Options) depth() int {
	if o.Depth > 0 {
		return o.Depth
	}
	return max(o.Threads, directio.Queue)
}

// requestBytes returns the size of a read, for total bytes.
func (o Options) requestBytes(total int64) int64 {
	if o.IOBytes > 0 {
		return o.IOBytes
	}
	return directio.RequestBytes(total, o.depth())
}

// StagingBytes returns the most memory that the technique's buffers take if the
// largest tensor has largest bytes: each size class has one buffer, and all
// smaller ones together are as large as the largest.
func (t Technique) StagingBytes(largest int64) int64 {
	if !t.Staged || largest <= 0 {
		return 0
	}
	return 2 << sizeClass(largest)
}

// ReadBufferBytes returns the memory that buffers for reads to a GPU take.
func (t Technique) ReadBufferBytes(o Options) int64 {
	if !t.Streamed {
		return 0
	}
	return int64(o.depth()) * cmp.Or(o.IOBytes, directio.MaxRequest)
}

// openIndex reads the checkpoint's index and checks it against its files.
func openIndex(dir string, f checkpoint.Format, clock *stage.Timeline) (*checkpoint.Checkpoint, error) {
	end := clock.Start("index")
	c, err := checkpoint.Open(dir, f)
	end(0)
	return c, err
}

// allocate allocates bytes of device memory for c, whose tensors will lie at
// place. On several GPUs each tensor lies on one of them.
func allocate(d device.Device, c *checkpoint.Checkpoint, place func(checkpoint.Tensor) int64, bytes int64, clock *stage.Timeline) (device.Memory, error) {
	end := clock.Start("allocate")
	defer func() { end(bytes) }()
	s, ok := d.(device.Spreader)
	if !ok {
		return d.Allocate(bytes)
	}
	parts, err := spreadParts(s, c, place)
	if err != nil {
		return nil, err
	}
	return s.AllocateParts(parts)
}

// spreadParts divides the memory among the GPUs.
func spreadParts(s device.Spreader, c *checkpoint.Checkpoint, place func(checkpoint.Tensor) int64) ([]device.Part, error) {
	free, err := s.Free()
	if err != nil {
		return nil, err
	}
	on, err := c.Spread(free)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", device.ErrTooSmall, err)
	}
	var parts []device.Part
	for i, t := range c.Tensors {
		if t.Size > 0 { // tied tensors share a place and are merged below
			parts = append(parts, device.Part{Offset: place(t), Bytes: t.Size, GPU: on[i]})
		}
	}
	slices.SortFunc(parts, func(a, b device.Part) int { return cmp.Compare(a.Offset, b.Offset) })
	// Neighbours on one GPU become one part, including the gaps between them, so
	// that what is read at once is copied at once.
	merged := parts[:0]
	for _, p := range parts {
		if n := len(merged); n > 0 && merged[n-1].GPU == p.GPU {
			merged[n-1].Bytes = p.Offset + p.Bytes - merged[n-1].Offset
			continue
		}
		merged = append(merged, p)
	}
	return merged, nil
}
