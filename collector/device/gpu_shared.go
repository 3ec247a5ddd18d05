package device

import (
	"errors"
	"fmt"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
)

// Importer is a device that can take memory of another process.
type Importer interface {
	// UUID is what handles of its memory name it by.
	UUID() (string, error)
	// Import opens memory by the bytes of its handle, to be written to. Free
	// closes it, and leaves it to the other process.
	Import(handle []byte) (Memory, error)
}

var (
	_ Importer = (*gpu)(nil)
	_ Exporter = (*gpuMemory)(nil)
	_ Sized    = (*gpuMemory)(nil)
)

// OpenAll starts every GPU of this machine. The error says why there is none.
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
		return nil, errors.New("the NVIDIA driver knows no GPU")
	}
	var ordinals []int
	for i := range count {
		ordinals = append(ordinals, i)
	}
	return OpenCUDA(driver, ordinals, 0)
}

// Importers are those of a device's GPUs; none for host.
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

// UUID is 32 hex digits with dashes, in lower case.
func (g *gpu) UUID() (string, error) {
	uuid, err := g.context.Device().UUID()
	return uuid.String(), err
}

// Import asks the driver whether the handle is one, and how much it names.
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

// mark puts an event behind a copy. A copy that has none has ended.
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

// await returns when every copy with an event has ended.
func (m *gpuMemory) await() error {
	m.gpu.mu.Lock()
	begun := m.begun
	m.begun = nil
	m.gpu.mu.Unlock()
	var err error
	for _, e := range begun {
		// What one of them says, all do.
		if waitErr := errors.Join(e.Synchronize(), e.Close()); err == nil {
			err = waitErr
		}
	}
	return err
}

// Export names the memory.
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

// PartsExporter is memory in several allocations that another process can be
// given.
type PartsExporter interface {
	// ExportParts names the allocations.
	ExportParts() ([]Handle, error)
	// PlaceOf says in which of them the byte at offset lies, and where.
	PlaceOf(offset int64) (handle int, at int64)
}

var _ PartsExporter = (*spreadMemory)(nil)

func (m *spreadMemory) ExportParts() ([]Handle, error) {
	handles := make([]Handle, len(m.on))
	for i, on := range m.on {
		if on.bytes == 0 {
			continue // nothing lies there, and nothing has no handle
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
