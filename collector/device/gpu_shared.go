package device

import (
	"errors"
	"fmt"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
)

// Importer is a device that can open memory of other processes.
type Importer interface {
	// UUID returns the device's name in handles.
	UUID() (string, error)
	// Import opens memory for writing, given its handle's bytes. Free closes it;
	// the other process keeps it. The error is ErrBadHandle if it is not a handle.
	Import(handle []byte) (Memory, error)
}

var (
	_ Importer = (*gpu)(nil)
	_ Exporter = (*gpuMemory)(nil)
	_ Sized    = (*gpuMemory)(nil)
)

// OpenAll opens all GPUs of this machine as one device. It fails if there are none.
func OpenAll() (Device, error) {
	driver, err := cuda.Open("")
	if err != nil {
		return nil, err
	}
	count, err := driver.Devices()
	if err != nil {
		return nil, err
	}
	if count == 0 {
		return nil, errors.New("the NVIDIA driver reports no GPU")
	}
	var ordinals []int
	for i := range count {
		ordinals = append(ordinals, i)
	}
	return OpenCUDA(driver, ordinals, 0)
}

// Importers returns the importers of a device's GPUs; none for host.
func Importers(d Device) []Importer {
	switch d := d.(type) {
	case *gpu:
		return []Importer{d}
	case *spread:
		var all []Importer
		for _, g := range d.gpus {
			all = append(all, g)
		}
		return all
	}
	return nil
}

// UUID returns 32 lower-case hex digits with dashes.
func (g *gpu) UUID() (string, error) {
	uuid, err := g.context.Device().UUID()
	return uuid.String(), err
}

// Import leaves it to the driver to check the handle and to tell the size.
func (g *gpu) Import(handle []byte) (Memory, error) {
	if len(handle) != len(cuda.IPCHandle{}) {
		return nil, fmt.Errorf("open shared memory of %s: %d bytes: %w", g.name, len(handle), ErrBadHandle)
	}
	at, err := g.context.OpenIPC(cuda.IPCHandle(handle))
	if err != nil {
		return nil, fmt.Errorf("open shared memory of %s: %w: %w", g.name, ErrBadHandle, err)
	}
	bytes, err := g.context.Size(at)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open shared memory of %s: %w", g.name, err), g.context.CloseIPC(at))
	}
	return &gpuMemory{gpu: g, at: at, bytes: bytes, lent: true}, nil
}

// mark puts an event after a copy. If it can't, it waits for the copy.
func (m *gpuMemory) mark(s *cuda.Stream) error {
	e, err := m.gpu.context.NewEvent()
	if err == nil {
		m.gpu.mu.Lock()
		m.begun = append(m.begun, e)
		m.gpu.mu.Unlock()
		err = e.Record(s)
	}
	if err != nil {
		err = errors.Join(err, s.Synchronize())
	}
	return err
}

// await waits for all copies with an event.
func (m *gpuMemory) await() error {
	m.gpu.mu.Lock()
	begun := m.begun
	m.begun = nil
	m.gpu.mu.Unlock()
	var err error
	for _, e := range begun {
		// If several fail, they fail for the same reason.
		if waitErr := errors.Join(e.Synchronize(), e.Close()); err == nil {
			err = waitErr
		}
	}
	return err
}

// Export returns a handle of the memory.
func (m *gpuMemory) Export() (Handle, error) {
	uuid, err := m.gpu.UUID()
	if err != nil {
		return Handle{}, fmt.Errorf("export memory of %s: %w", m.gpu.name, err)
	}
	h, err := m.gpu.context.IPCHandle(m.at)
	if err != nil {
		return Handle{}, fmt.Errorf("export memory of %s: %w", m.gpu.name, err)
	}
	return Handle{Device: uuid, Bytes: h[:]}, nil
}

func (m *gpuMemory) Size() int64 { return m.bytes }

// PartsExporter is memory in several allocations that other processes can open.
type PartsExporter interface {
	// ExportParts returns handles of the allocations.
	ExportParts() ([]Handle, error)
	// PlaceOf returns the index of the handle that has the byte at offset, and the
	// offset there.
	PlaceOf(offset int64) (handle int, at int64)
}

var _ PartsExporter = (*spreadMemory)(nil)

func (m *spreadMemory) ExportParts() ([]Handle, error) {
	handles := make([]Handle, len(m.on))
	for i, on := range m.on {
		if on.bytes == 0 {
			continue // an empty allocation has no handle
		}
		var err error
		if handles[i], err = on.Export(); err != nil {
			return nil, err
		}
	}
	return handles, nil
}

func (m *spreadMemory) PlaceOf(offset int64) (handle int, at int64) {
	i := min(m.find(offset), len(m.parts)-1)
	return m.parts[i].GPU, m.within[i] + offset - m.parts[i].Offset
}
