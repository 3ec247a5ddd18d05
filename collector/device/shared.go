package device

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/hostmem"
)

// HandleBytes is the length of a handle, the same as of CUDA's.
const HandleBytes = 64

// ErrBadHandle means that a handle does not name memory that this process may use.
var ErrBadHandle = errors.New("not a handle of memory")

// Handle names memory of a device to other processes on this machine.
type Handle struct {
	Device string // a GPU's UUID, or Host
	Bytes  []byte // HandleBytes of them
}

// Exporter is memory that other processes can open. What they open begins with
// this memory's first byte.
type Exporter interface {
	Export() (Handle, error)
}

// OpenShared is Open for a device whose memory is an Exporter. Host memory is then a
// memory file, which is a little slower than private memory where the kernel does
// not back such files with huge pages.
func OpenShared(name string, capacity int64) (Device, error) {
	if name != Host {
		return Open(name, capacity)
	}
	var nonce [nonceBytes]byte
	_, _ = rand.Read(nonce[:]) // it never fails
	file, region, err := hostmem.MapFile(namePrefix+hex.EncodeToString(nonce[:]), capacity)
	if err != nil {
		return nil, fmt.Errorf("open device host: %w", err)
	}
	return &host{region: region, file: file}, nil
}

// A handle of host memory names a file descriptor of a process, and contains the
// file's random name, which only those who got the handle know:
//
//	8 bytes   hostMagic
//	4 bytes   process ID, little endian
//	4 bytes   file descriptor, little endian
//	16 bytes  random, in hexadecimal the rest of the name
//	zeros
const (
	hostMagic  = "sllmqmem"
	namePrefix = "sllmq-"
	nonceBytes = 16
)

// Export returns a handle of the memory, which must come from OpenShared.
func (m *hostMemory) Export() (Handle, error) {
	if m.host.file == nil {
		return Handle{}, errors.New("export memory of host: it was not opened with OpenShared")
	}
	nonce, err := hex.DecodeString(m.host.file.Name()[len(namePrefix):])
	if err != nil {
		return Handle{}, fmt.Errorf("export memory of host: %w", err)
	}
	b := make([]byte, 0, HandleBytes)
	b = append(b, hostMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(os.Getpid()))
	b = binary.LittleEndian.AppendUint32(b, uint32(m.host.file.Fd()))
	b = append(b, nonce...)
	return Handle{Device: Host, Bytes: b[:HandleBytes]}, nil
}

// HostImporter opens host memory of other processes. The two processes must see
// each other under /proc: same user, same PID namespace.
type HostImporter struct{}

var _ Importer = HostImporter{}

// UUID returns Host.
func (HostImporter) UUID() (string, error) { return Host, nil }

// Import opens the memory that a handle names, for reading and writing. Free closes
// it; the other process keeps it.
func (HostImporter) Import(handle []byte) (Memory, error) {
	f, err := openHandle(handle)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 {
		err = ErrBadHandle
	}
	var region []byte
	if err == nil {
		region, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	// The mapping keeps the memory alive without the descriptor.
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("map shared memory of host: %w", err)
	}
	return &imported{b: region, seen: make([]atomic.Uint64, len(region)/hostmem.HugePage/64+1)}, nil
}

// openHandle opens the memory file that a handle names, if it is one. It touches
// nothing else of the other process.
func openHandle(handle []byte) (*os.File, error) {
	if len(handle) != HandleBytes || !bytes.HasPrefix(handle, []byte(hostMagic)) {
		return nil, fmt.Errorf("open shared memory of host: %w", ErrBadHandle)
	}
	pid, fd := binary.LittleEndian.Uint32(handle[8:]), binary.LittleEndian.Uint32(handle[12:])
	name := namePrefix + hex.EncodeToString(handle[16:16+nonceBytes])
	path := fmt.Sprintf("/proc/%d/fd/%d", pid, fd)
	// O_PATH opens nothing yet, so the file can be checked first, and the checked
	// file is the one that is opened.
	place, err := os.OpenFile(path, unix.O_PATH, 0)
	if err != nil {
		return nil, fmt.Errorf("open shared memory of process %d (it must have the same user and the same PID namespace): %w: %w", pid, ErrBadHandle, err)
	}
	defer place.Close()
	here := "/proc/self/fd/" + strconv.Itoa(int(place.Fd()))
	if target, err := os.Readlink(here); err != nil || target != "/memfd:"+name+" (deleted)" {
		return nil, fmt.Errorf("open shared memory of process %d: %w", pid, ErrBadHandle)
	}
	f, err := os.OpenFile(here, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open shared memory of process %d: %w: %w", pid, ErrBadHandle, err)
	}
	// Regular files have no seals: whatever its name, this one is memory, and can't
	// shrink.
	if seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0); err != nil || seals&unix.F_SEAL_SHRINK == 0 {
		return nil, errors.Join(fmt.Errorf("open shared memory of process %d: %w", pid, ErrBadHandle), f.Close())
	}
	return f, nil
}

// Sized is memory that knows its size in bytes.
type Sized interface {
	Size() int64
}

// imported is memory of another process.
type imported struct {
	b    []byte
	seen []atomic.Uint64 // a bit for each 2 MiB that is mapped in this process
}

var (
	_ Exporter    = (*hostMemory)(nil)
	_ Memory      = (*imported)(nil)
	_ Addressable = (*imported)(nil)
	_ Sized       = (*imported)(nil)
)

func (m *imported) Bytes() []byte { return m.b }

func (m *imported) Size() int64 { return int64(len(m.b)) }

func (m *imported) Write(offset int64, src []byte) error {
	dst, err := m.part(offset, len(src))
	if err != nil {
		return fmt.Errorf("write shared memory: %w", err)
	}
	m.see(offset, offset+int64(len(dst)))
	copy(dst, src)
	return nil
}

// see maps the pages of a range in this process. They exist already, so this is
// only for speed: mapping many at once takes half the time of a fault for each.
func (m *imported) see(begin, end int64) {
	for at := begin / hostmem.HugePage * hostmem.HugePage; at < end; at += hostmem.HugePage {
		word, bit := &m.seen[at/hostmem.HugePage/64], uint64(1)<<(at/hostmem.HugePage%64)
		if word.Load()&bit == 0 {
			_ = unix.Madvise(m.b[at:min(at+hostmem.HugePage, int64(len(m.b)))], unix.MADV_POPULATE_READ)
			word.Or(bit)
		}
	}
}

func (m *imported) Read(offset int64, dst []byte) error {
	src, err := m.part(offset, len(dst))
	if err != nil {
		return fmt.Errorf("read shared memory: %w", err)
	}
	copy(dst, src)
	return nil
}

func (m *imported) part(offset int64, length int) ([]byte, error) {
	if offset < 0 || offset > int64(len(m.b))-int64(length) {
		return nil, fmt.Errorf("%d bytes at %d: past the end of %d", length, offset, len(m.b))
	}
	return m.b[offset : offset+int64(length)], nil
}

func (m *imported) Sync() error { return nil }

func (m *imported) Free() error {
	b := m.b
	m.b = nil
	return unix.Munmap(b)
}
