package device

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
)

// streams is how many copies a GPU gets at once, each in its own stream. One copy
// keeps the link busy; the others are ready when it ends.
const streams = 16

// gpu is the memory of one GPU.
//
// Copies from page-locked memory go through a stream, concurrently with others.
// Copies from pageable memory use cuMemcpyHtoD and the driver's staging buffers, as
// PyTorch's tensor.to("cuda") does.
type gpu struct {
	name    string
	context *cuda.Context
	idle    chan *cuda.Stream

	mu     sync.Mutex
	used   int64
	locked []region // page-locked for this process's GPUs
}

var (
	_ Device         = (*gpu)(nil)
	_ hostmem.Locker = (*gpu)(nil)
	_ Meter          = (*gpu)(nil)
)

// region is a range of host addresses.
type region struct{ begin, end uintptr }

func regionOf(b []byte) region {
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return region{begin, begin + uintptr(len(b))}
}

func (r region) holds(other region) bool { return r.begin <= other.begin && other.end <= r.end }

// OpenCUDA opens GPUs of an open driver as one device, with room for capacity bytes
// on all of them together.
func OpenCUDA(driver *cuda.Driver, ordinals []int, capacity int64) (Device, error) {
	var gpus []*gpu
	var free int64
	var err error
	for _, ordinal := range ordinals {
		var g *gpu
		if g, err = openGPU(driver, ordinal); err != nil {
			break
		}
		gpus = append(gpus, g)
		var n int64
		if n, _, err = g.context.Memory(); err != nil {
			break
		}
		free += n
	}
	s := &spread{gpus: gpus}
	if err == nil && capacity > free {
		err = fmt.Errorf("open device %s: a load needs %d bytes and %d are free: %w", s.Name(), capacity, free, ErrTooSmall)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if len(gpus) == 1 {
		return gpus[0], nil
	}
	return s, nil
}

func openGPU(driver *cuda.Driver, ordinal int) (*gpu, error) {
	name := fmt.Sprintf("cuda:%d", ordinal)
	device, err := driver.Device(ordinal)
	if err != nil {
		return nil, err
	}
	context, err := device.Retain()
	if err != nil {
		return nil, fmt.Errorf("open device %s: %w", name, err)
	}
	g := &gpu{name: name, context: context, idle: make(chan *cuda.Stream, streams)}
	for range streams {
		s, err := context.NewStream()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open device %s: %w", name, err), g.Close())
		}
		g.idle <- s
	}
	if err := g.warmUp(); err != nil {
		return nil, errors.Join(fmt.Errorf("warm up device %s: %w", name, err), g.Close())
	}
	return g, nil
}

// warmUp does once what a load does, so that no load pays for what the driver
// defers to its first use.
func (g *gpu) warmUp() (err error) {
	const size = 4 << 20
	b, err := hostmem.NewBuffer(g, size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	m, err := g.Allocate(size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Free()) }()
	for range streams {
		if err := m.Write(0, b.Bytes[:size]); err != nil {
			return err
		}
	}
	return errors.Join(m.Write(0, make([]byte, size)), m.Sync())
}

func (g *gpu) Name() string { return g.name }

func (g *gpu) Used() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.used
}

func (g *gpu) InUse() (int64, error) {
	free, total, err := g.context.Memory()
	return total - free, err
}

func (g *gpu) Lock(b []byte) error {
	if err := g.context.Register(b); err != nil {
		return fmt.Errorf("page-lock %d bytes: %w", len(b), err)
	}
	g.remember(b)
	return nil
}

func (g *gpu) Unlock(b []byte) error {
	if !g.forget(b) {
		return nil
	}
	return g.context.Unregister(b)
}

// remember records that b is page-locked.
func (g *gpu) remember(b []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.locked = append(g.locked, regionOf(b))
}

// forget undoes remember, and reports whether b was page-locked.
func (g *gpu) forget(b []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.locked, regionOf(b))
	if i < 0 {
		return false
	}
	g.locked = slices.Delete(g.locked, i, i+1)
	return true
}

func (g *gpu) isLocked(b []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := regionOf(b)
	return slices.ContainsFunc(g.locked, func(l region) bool { return l.holds(r) })
}

func (g *gpu) Allocate(bytes int64) (Memory, error) {
	return g.allocate(bytes)
}

func (g *gpu) allocate(bytes int64) (*gpuMemory, error) {
	m := &gpuMemory{gpu: g, bytes: bytes}
	if bytes < 0 {
		return nil, fmt.Errorf("allocate %d bytes on %s", bytes, g.name)
	}
	if bytes > 0 {
		var err error
		m.at, err = g.context.Alloc(bytes)
		if errors.Is(err, cuda.OutOfMemory) {
			free, _, _ := g.context.Memory() // only for the message
			return nil, fmt.Errorf("allocate %d bytes on %s, of which %d are free: %w: %w", bytes, g.name, free, ErrTooSmall, err)
		}
		if err != nil {
			return nil, fmt.Errorf("allocate %d bytes on %s: %w", bytes, g.name, err)
		}
	}
	g.mu.Lock()
	g.used += bytes
	g.mu.Unlock()
	return m, nil
}

// Close releases the GPU. No copy may be in flight.
func (g *gpu) Close() error {
	var err error
	for range len(g.idle) {
		err = errors.Join(err, (<-g.idle).Close())
	}
	return errors.Join(err, g.context.Release())
}

// gpuMemory is one allocation.
type gpuMemory struct {
	gpu   *gpu
	at    cuda.Pointer
	bytes int64

	lent     bool          // by another process, which owns and frees it
	begun    []*cuda.Event // after copies to lent memory; guarded by the GPU's lock
	pageable atomic.Bool   // some bytes came from memory that is not page-locked
}

var (
	_ Memory = (*gpuMemory)(nil)
	_ Queued = (*gpuMemory)(nil)
	_ OnGPU  = (*gpuMemory)(nil)
)

func (m *gpuMemory) Locate(offset int64) (*cuda.Context, cuda.Pointer) {
	return m.gpu.context, m.at + cuda.Pointer(offset)
}

func (m *gpuMemory) Write(offset int64, src []byte) error {
	return m.copy(offset, src, (*cuda.Stream).Synchronize)
}

func (m *gpuMemory) Begin(offset int64, src []byte) error {
	return m.copy(offset, src, func(s *cuda.Stream) error {
		if m.lent {
			return m.mark(s)
		}
		return nil
	})
}

// copy puts a copy from page-locked memory into a stream, and calls then before
// others may use the stream. Pageable memory is copied at once.
func (m *gpuMemory) copy(offset int64, src []byte, then func(*cuda.Stream) error) error {
	if offset < 0 || offset > m.bytes-int64(len(src)) {
		return fmt.Errorf("write %d bytes at %d: past the end of %d allocated", len(src), offset, m.bytes)
	}
	at := m.at + cuda.Pointer(offset)
	if !m.gpu.isLocked(src) {
		m.pageable.Store(true)
		return m.gpu.context.CopyToDevice(at, src)
	}
	s := <-m.gpu.idle
	defer func() { m.gpu.idle <- s }()
	if err := s.CopyToDevice(at, src); err != nil {
		return err
	}
	return then(s)
}

func (m *gpuMemory) Read(offset int64, dst []byte) error {
	if offset < 0 || offset > m.bytes-int64(len(dst)) {
		return fmt.Errorf("read %d bytes at %d: past the end of %d allocated", len(dst), offset, m.bytes)
	}
	return m.gpu.context.CopyFromDevice(dst, m.at+cuda.Pointer(offset))
}

// Sync waits for all copies to the GPU. For lent memory it waits only for copies to
// that memory: a server of many clients has copies of others in flight.
func (m *gpuMemory) Sync() error {
	if m.lent && !m.pageable.Load() {
		return m.await()
	}
	return m.gpu.context.Synchronize()
}

func (m *gpuMemory) Free() error {
	bytes, at := m.bytes, m.at
	m.bytes, m.at = 0, 0
	if bytes == 0 {
		return nil
	}
	if m.lent {
		return errors.Join(m.await(), m.gpu.context.CloseIPC(at))
	}
	m.gpu.mu.Lock()
	m.gpu.used -= bytes
	m.gpu.mu.Unlock()
	return m.gpu.context.Free(at)
}
