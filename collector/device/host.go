package device

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/hostmem"
)

// host is RAM used as a device: one region, mapped when it is opened. It holds one
// allocation at a time, as a benchmark loads one model at a time.
type host struct {
	mu     sync.Mutex
	region []byte
	used   int64
	file   *os.File // of a shared region; else nil
}

var _ Device = (*host)(nil)

func newHost(capacity int64) (*host, error) {
	region, err := hostmem.Map(capacity)
	if err != nil {
		return nil, fmt.Errorf("open device host: %w", err)
	}
	return &host{region: region}, nil
}

func (h *host) Name() string { return Host }

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
	return hostmem.Unmap(region)
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
