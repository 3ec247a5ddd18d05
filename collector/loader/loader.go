// Package loader holds the techniques that bring a checkpoint to a device,
// one a file. Each stands for something that people use, and says so.
package loader

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/stage"
)

// Loader brings checkpoints to the device that it was opened with.
type Loader interface {
	// Load brings the checkpoint in dir to the device and returns when the
	// last byte of its last tensor is readable there. It tells clock its
	// stages and leaves nothing behind when it fails.
	Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error)
	// Close gives back what the loader holds between loads.
	Close() error
}

// Preparer is a loader that costs something to be ready.
type Preparer interface {
	Prepared() Prepared
}

// Prepared is what a loader set up when it was opened.
type Prepared struct {
	PoolBytes   int64
	LockError   error // why the pool is not page-locked
	LockUnknown bool  // a server does not say whether it is
}

// Served is a loader whose work a server does.
type Served interface {
	Server() Server
}

// Server is who does it.
type Server struct {
	Address   string
	Program   string        // that was started; empty: it ran
	PID       int           // of that; 0: unknown
	StartTime time.Duration // until that was ready
	Version   string        // empty: it does not say
}

// Loaded is a checkpoint on a device.
type Loaded struct {
	Checkpoint *checkpoint.Checkpoint
	Memory     device.Memory // nil: the bytes were dropped (raw)
	Bytes      int64         // of distinct tensor bytes brought
	Direct     *bool         // O_DIRECT was in force; nil: the technique never asks for it
	PoolHit    *bool         // the model lay in the pool; nil: no pool
	Streamed   *bool         // the model is larger than the pool and passed through it; nil: no pool
	Evicted    *int64        // bytes of other models that made way in the pool; nil: no pool
	Reading    Reading

	place   func(t checkpoint.Tensor) int64
	explain func(ctx context.Context, l *Loaded) error // nil: there is nothing to ask
}

// Explain fills in, when the clock has stopped, what is known of the load to a
// server alone; its stages too.
func (l *Loaded) Explain(ctx context.Context) error {
	if l.explain == nil {
		return nil
	}
	return l.explain(ctx, l)
}

// Reading is how the files were read: what was in force, whatever was asked.
type Reading struct {
	Method string // pread or mmap; empty: nothing was read
	Depth  int    // the most requests under way at once; of a mapping, threads
	Bytes  int64  // of the largest request; 0: the kernel's read-ahead chooses
}

// preads is the Reading of so many places in a queue.
func preads(queue int, requests []readRequest) Reading {
	r := Reading{Method: "pread", Depth: min(queue, len(requests))}
	for _, q := range requests {
		r.Bytes = max(r.Bytes, q.bytes)
	}
	return r
}

// Read copies the tensor's bytes from the device into dst, which has its
// size.
func (l *Loaded) Read(t checkpoint.Tensor, dst []byte) error {
	return l.Memory.Read(l.place(t), dst)
}

// View is the tensor's bytes where they lie, good until Free. It is false for
// a device whose memory the CPU can't read in place.
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

// Locate says where on a GPU the tensor lies. It is false for other devices.
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

// Free gives the device's memory back.
func (l *Loaded) Free() error {
	if l.Memory == nil {
		return nil
	}
	return l.Memory.Free()
}

// Options are what loaders are opened with.
type Options struct {
	Format     checkpoint.Format
	Device     device.Device
	Threads    int   // the least number of reads under way, of loaders that choose it
	ChunkBytes int64 // of the pool
	Depth      int   // reads under way; 0: by Threads
	IOBytes    int64 // of a read; 0: by what there is to read
	PoolBytes  int64
	Stream     bool   // pool only: a model larger than the pool passes through it
	GDS        string // direct only, to a GPU: GDSRequire or GDSCompat; empty: GDSOff
	CuFile     string // its library's path; empty: where it usually is
	Buffered   bool   // raw only: through the page cache, as a cached load goes
	Store      StoreOptions
}

// Technique names a loader and opens it.
type Technique struct {
	Name     string
	Formats  []checkpoint.Format
	Pooled   bool // takes a pool of host memory
	Staged   bool // takes page-locked buffers as large as tensors, see StagingBytes
	Streamed bool // takes page-locked buffers for a GPU, see ReadBufferBytes
	Device   bool // brings the bytes to a device, rather than dropping them
	Served   bool // by a server, which holds the pool and writes to the device's memory
	Mapped   bool // takes the bytes out of mapped files, and so through the page cache
	Open     func(Options) (Loader, error)

	ownThreads int // that move bytes, of a loader that does not let it be chosen
}

// Techniques lists what there is.
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

// Find looks a technique of this program up by name.
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
	return Technique{}, fmt.Errorf("no loader %q: use one of %s", name, strings.Join(names, ", "))
}

// Default is the loader that stands for what people do with a format today.
func Default(f checkpoint.Format) string {
	if f == checkpoint.SLLM {
		return "pool"
	}
	return "mmap-parallel"
}

// Threads is how many threads move bytes, if so many were asked for of those
// loaders that let it be chosen.
func (t Technique) Threads(asked int) int {
	if t.ownThreads > 0 {
		return t.ownThreads
	}
	return max(1, asked)
}

// Takes says whether the technique loads format.
func (t Technique) Takes(f checkpoint.Format) bool { return slices.Contains(t.Formats, f) }

// queue is how many reads are under way, of loaders that choose it.
func (o Options) queue() int {
	if o.Depth > 0 {
		return o.Depth
	}
	return max(o.Threads, directio.Queue)
}

// requestBytes is how much is asked for at once of total bytes.
func (o Options) requestBytes(total int64) int64 {
	if o.IOBytes > 0 {
		return o.IOBytes
	}
	return directio.RequestBytes(total, o.queue())
}

// StagingBytes is the most memory that the technique's buffers take when the
// largest tensor has so many bytes: each size class has one buffer, and those
// below the largest sum up to it.
func (t Technique) StagingBytes(largest int64) int64 {
	if !t.Staged || largest <= 0 {
		return 0
	}
	return 2 << sizeClass(largest)
}

// ReadBufferBytes is the memory that buffers take through which reads come to a
// GPU.
func (t Technique) ReadBufferBytes(o Options) int64 {
	if !t.Streamed {
		return 0
	}
	return int64(o.queue()) * cmp.Or(o.IOBytes, directio.MaxRequest)
}

// openIndex reads the checkpoint's index and holds it against its files.
func openIndex(dir string, f checkpoint.Format, clock *stage.Timeline) (*checkpoint.Checkpoint, error) {
	end := clock.Start("index")
	c, err := checkpoint.Open(dir, f)
	end(0)
	return c, err
}

// allocate reserves device memory of so many bytes for c, whose tensors will lie
// at place in it: over several GPUs, each tensor on one of them.
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

// spreadParts says which stretches of the memory go to which GPU.
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
		if t.Size > 0 { // tied ones lie in the same place: they are one stretch below
			parts = append(parts, device.Part{Offset: place(t), Bytes: t.Size, GPU: on[i]})
		}
	}
	slices.SortFunc(parts, func(a, b device.Part) int { return cmp.Compare(a.Offset, b.Offset) })
	// Neighbours on one GPU are one stretch, gaps between them included, so that
	// what is read at once is copied at once.
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
