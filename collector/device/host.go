package device

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size that x86-64 and arm64 kernels back anonymous memory
// with when asked; buffers are rounded up and aligned to it.
const hugePage = 2 << 20

// Map reserves size bytes of anonymous memory, rounded up to huge pages and
// aligned to one, asks for huge pages, and touches every page, so that no
// load pays for it. The caller unmaps it with Unmap.
func Map(size int64) ([]byte, error) {
	size = (size + hugePage - 1) / hugePage * hugePage
	if size == 0 {
		size = hugePage
	}
	// One huge page more than asked for, so that an aligned part is in it.
	region, err := unix.Mmap(-1, 0, int(size+hugePage), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes of memory: %w", size, err)
	}
	skip := (hugePage - int64(uintptr(unsafe.Pointer(&region[0]))%hugePage)) % hugePage
	b := region[skip : skip+size : skip+size]
	// Only advice: without huge pages the memory is as good, only slower.
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	populate(b)
	return b, nil
}

// Unmap gives back what Map returned. The unaligned remainders at both ends
// were never touched and hold no memory.
func Unmap(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := unix.MunmapPtr(unsafe.Pointer(&b[0]), uintptr(len(b))); err != nil {
		return fmt.Errorf("give memory back: %w", err)
	}
	return nil
}

// populate touches every page from a few goroutines: the kernel zeroes pages
// on the CPU that touches them.
func populate(b []byte) {
	const part = 64 << 20
	var wg sync.WaitGroup
	parts := make(chan []byte)
	for range 4 {
		wg.Go(func() {
			for p := range parts {
				if unix.Madvise(p, unix.MADV_POPULATE_WRITE) == nil {
					continue
				}
				for i := 0; i < len(p); i += 4096 {
					p[i] = 0
				}
			}
		})
	}
	for start := 0; start < len(b); start += part {
		parts <- b[start:min(start+part, len(b))]
	}
	close(parts)
	wg.Wait()
}

// host is RAM used as a device: one region taken at the start, given out
// from its beginning. It holds one model at a time, as the benchmark does.
type host struct {
	mu     sync.Mutex
	region []byte
	used   int64
	file   *os.File // of a region that is shared; else nil
}

var _ Device = (*host)(nil)

func newHost(capacity int64) (*host, error) {
	region, err := Map(capacity)
	if err != nil {
		return nil, fmt.Errorf("open device host: %w", err)
	}
	return &host{region: region}, nil
}

func (h *host) Name() string { return "host" }

func (h *host) Used() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.used
}

func (h *host) Allocate(bytes int64) (Memory, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.used > 0 {
		return nil, fmt.Errorf("allocate %d bytes on host: the last load's memory is still in use", bytes)
	}
	if bytes < 0 || bytes > int64(len(h.region)) {
		return nil, fmt.Errorf("allocate %d bytes on host, which has %d: %w", bytes, len(h.region), ErrTooSmall)
	}
	h.used = bytes
	return &hostMemory{host: h, b: h.region[:bytes:bytes]}, nil
}

func (h *host) Close() error {
	region := h.region
	h.region = nil
	if h.file != nil {
		return errors.Join(unix.Munmap(region), h.file.Close())
	}
	return Unmap(region)
}

var (
	_ Memory      = (*hostMemory)(nil)
	_ Addressable = (*hostMemory)(nil)
)

type hostMemory struct {
	host *host
	b    []byte
}

func (m *hostMemory) Bytes() []byte { return m.b }

func (m *hostMemory) Write(offset int64, src []byte) error {
	if offset < 0 || offset > int64(len(m.b))-int64(len(src)) {
		return fmt.Errorf("write %d bytes at %d: past the end of %d allocated", len(src), offset, len(m.b))
	}
	copy(m.b[offset:], src)
	return nil
}

func (m *hostMemory) Read(offset int64, dst []byte) error {
	if offset < 0 || offset > int64(len(m.b))-int64(len(dst)) {
		return fmt.Errorf("read %d bytes at %d: past the end of %d allocated", len(dst), offset, len(m.b))
	}
	copy(dst, m.b[offset:])
	return nil
}

func (m *hostMemory) Sync() error { return nil }

func (m *hostMemory) Free() error {
	m.host.mu.Lock()
	defer m.host.mu.Unlock()
	m.b = nil
	m.host.used = 0
	return nil
}
