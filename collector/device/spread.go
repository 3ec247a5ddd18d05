package device

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
)

// Part is a stretch of one allocation, and the number of the GPU that it lies
// on.
type Part struct {
	Offset, Bytes int64
	GPU           int // counted from 0 in the order of the device's name
}

// Spreader is a device of several GPUs, each of which holds parts of a model.
type Spreader interface {
	// GPUs is how many there are.
	GPUs() int
	// Free is how many bytes each has to give.
	Free() ([]int64, error)
	// AllocateParts reserves the parts, which are in the order of their offsets
	// and do not overlap. What lies between them goes nowhere.
	AllocateParts(parts []Part) (Memory, error)
}

// spread is several GPUs that hold one model together.
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

// Lock locks for every GPU: what one registers, the others' contexts may copy
// from too.
func (s *spread) Lock(b []byte) error {
	if err := s.gpus[0].Lock(b); err != nil {
		return err
	}
	for _, g := range s.gpus[1:] {
		g.know(b)
	}
	return nil
}

func (s *spread) Unlock(b []byte) error {
	for _, g := range s.gpus[1:] {
		g.forget(b)
	}
	return s.gpus[0].Unlock(b)
}

// Allocate puts all of it on the first GPU: nothing says where else.
func (s *spread) Allocate(bytes int64) (Memory, error) { return s.gpus[0].Allocate(bytes) }

func (s *spread) AllocateParts(parts []Part) (Memory, error) {
	m := &spreadMemory{parts: parts, within: make([]int64, len(parts)), on: make([]*gpuMemory, len(s.gpus))}
	sizes := make([]int64, len(s.gpus))
	for i, p := range parts {
		if p.GPU < 0 || p.GPU >= len(s.gpus) || p.Bytes < 0 || i > 0 && p.Offset < parts[i-1].Offset+parts[i-1].Bytes {
			return nil, fmt.Errorf("spread over %s: part %d is not in its order", s.Name(), i)
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

// partAlign is where parts begin on their GPU, in bytes, as its allocator has
// it.
const partAlign = 256

func (s *spread) Close() error {
	var err error
	for _, g := range s.gpus {
		err = errors.Join(err, g.Close())
	}
	return err
}

// spreadMemory is one allocation in parts on several GPUs.
type spreadMemory struct {
	parts  []Part
	within []int64 // where each begins in its GPU's allocation
	on     []*gpuMemory
}

var (
	_ Memory = (*spreadMemory)(nil)
	_ Queued = (*spreadMemory)(nil)
	_ OnGPU  = (*spreadMemory)(nil)
)

// find is the number of the first part that ends behind offset.
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

// each calls f for every part that n bytes from offset have a share in: with
// its GPU's memory, where the share begins there, and which bytes it is.
func (m *spreadMemory) each(offset, n int64, f func(on *gpuMemory, at, begin, end int64) error) error {
	if offset < 0 || n < 0 {
		return fmt.Errorf("%d bytes at %d: there are no such", n, offset)
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
