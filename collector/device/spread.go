package device

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
)

// Part is a range of one allocation, and the GPU that holds it.
type Part struct {
	Offset, Bytes int64
	GPU           int // its index in the device's name
}

// Spreader is a device of several GPUs, each of which holds parts of a model.
type Spreader interface {
	// GPUs returns the number of GPUs.
	GPUs() int
	// Free returns how many bytes of each GPU are free.
	Free() ([]int64, error)
	// AllocateParts reserves the parts, which are sorted by offset and do not
	// overlap. Bytes written between them are discarded.
	AllocateParts(parts []Part) (Memory, error)
}

// spread is a device of several GPUs.
type spread struct{ gpus []*gpu }

var (
	_ Device         = (*spread)(nil)
	_ hostmem.Locker = (*spread)(nil)
	_ Meter          = (*spread)(nil)
	_ Spreader       = (*spread)(nil)
)

func (s *spread) Name() string {
	var names []string
	for _, g := range s.gpus {
		names = append(names, g.name)
	}
	return strings.Join(names, "+")
}

func (s *spread) GPUs() int { return len(s.gpus) }

func (s *spread) Free() ([]int64, error) {
	var all []int64
	for _, g := range s.gpus {
		free, _, err := g.context.Memory()
		if err != nil {
			return nil, err
		}
		all = append(all, free)
	}
	return all, nil
}

func (s *spread) Used() int64 {
	var n int64
	for _, g := range s.gpus {
		n += g.Used()
	}
	return n
}

func (s *spread) InUse() (int64, error) {
	var all int64
	for _, g := range s.gpus {
		n, err := g.InUse()
		if err != nil {
			return 0, err
		}
		all += n
	}
	return all, nil
}

// Lock locks for every GPU: the others' contexts may copy from memory that one of
// them has registered.
func (s *spread) Lock(b []byte) error {
	if err := s.gpus[0].Lock(b); err != nil {
		return err
	}
	for _, g := range s.gpus[1:] {
		g.remember(b)
	}
	return nil
}

func (s *spread) Unlock(b []byte) error {
	for _, g := range s.gpus[1:] {
		g.forget(b)
	}
	return s.gpus[0].Unlock(b)
}

// Allocate allocates on the first GPU, since nothing names another.
func (s *spread) Allocate(bytes int64) (Memory, error) { return s.gpus[0].Allocate(bytes) }

func (s *spread) AllocateParts(parts []Part) (Memory, error) {
	m := &spreadMemory{parts: parts, within: make([]int64, len(parts)), on: make([]*gpuMemory, len(s.gpus))}
	sizes := make([]int64, len(s.gpus))
	for i, p := range parts {
		if p.GPU < 0 || p.GPU >= len(s.gpus) || p.Bytes < 0 || i > 0 && p.Offset < parts[i-1].Offset+parts[i-1].Bytes {
			return nil, fmt.Errorf("spread over %s: part %d is out of order", s.Name(), i)
		}
		m.within[i] = sizes[p.GPU]
		sizes[p.GPU] += (p.Bytes + partAlign - 1) / partAlign * partAlign
	}
	for i, g := range s.gpus {
		var err error
		if m.on[i], err = g.allocate(sizes[i]); err != nil {
			return nil, errors.Join(err, m.Free())
		}
	}
	return m, nil
}

// partAlign is the alignment of parts on their GPU, in bytes: that of CUDA's
// allocator.
const partAlign = 256

func (s *spread) Close() error {
	var err error
	for _, g := range s.gpus {
		err = errors.Join(err, g.Close())
	}
	return err
}

// spreadMemory is one allocation, in parts on several GPUs.
type spreadMemory struct {
	parts  []Part
	within []int64 // the offset of each in its GPU's allocation
	on     []*gpuMemory
}

var (
	_ Memory = (*spreadMemory)(nil)
	_ Queued = (*spreadMemory)(nil)
	_ OnGPU  = (*spreadMemory)(nil)
)

// find returns the index of the first part that ends after offset.
func (m *spreadMemory) find(offset int64) int {
	return sort.Search(len(m.parts), func(i int) bool { return m.parts[i].Offset+m.parts[i].Bytes > offset })
}

func (m *spreadMemory) Locate(offset int64) (*cuda.Context, cuda.Pointer) {
	i := m.find(offset)
	if i == len(m.parts) || offset < m.parts[i].Offset {
		return m.on[0].Locate(0)
	}
	return m.on[m.parts[i].GPU].Locate(m.within[i] + offset - m.parts[i].Offset)
}

// each calls f for every part that overlaps n bytes from offset: with its GPU's
// memory, the offset of the overlap there, and the range of the n bytes.
func (m *spreadMemory) each(offset, n int64, f func(on *gpuMemory, at, begin, end int64) error) error {
	if offset < 0 || n < 0 {
		return fmt.Errorf("%d bytes at %d: out of range", n, offset)
	}
	for i := m.find(offset); i < len(m.parts) && m.parts[i].Offset < offset+n; i++ {
		p := m.parts[i]
		begin, end := max(offset, p.Offset), min(offset+n, p.Offset+p.Bytes)
		if err := f(m.on[p.GPU], m.within[i]+begin-p.Offset, begin-offset, end-offset); err != nil {
			return err
		}
	}
	return nil
}

func (m *spreadMemory) Write(offset int64, src []byte) error {
	return m.each(offset, int64(len(src)), func(on *gpuMemory, at, begin, end int64) error {
		return on.Write(at, src[begin:end])
	})
}

func (m *spreadMemory) Begin(offset int64, src []byte) error {
	return m.each(offset, int64(len(src)), func(on *gpuMemory, at, begin, end int64) error {
		return on.Begin(at, src[begin:end])
	})
}

func (m *spreadMemory) Read(offset int64, dst []byte) error {
	return m.each(offset, int64(len(dst)), func(on *gpuMemory, at, begin, end int64) error {
		return on.Read(at, dst[begin:end])
	})
}

func (m *spreadMemory) Sync() error {
	var err error
	for _, on := range m.on {
		err = errors.Join(err, on.Sync())
	}
	return err
}

func (m *spreadMemory) Free() error {
	var err error
	for _, on := range m.on {
		if on != nil {
			err = errors.Join(err, on.Free())
		}
	}
	return err
}
