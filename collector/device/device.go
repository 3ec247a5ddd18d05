// Package device is the destination of a load: host memory, one GPU, or several
// that hold one model together.
//
// A device's memory physically exists before a load begins, as a GPU's does. So
// allocating from it inside a load costs what an allocator costs, not the first
// touch of fresh pages.
//
// What only some devices and memories can do is an interface of its own:
// Addressable, Queued, Meter, OnGPU, Spreader, and for sharing between processes
// Exporter and Importer.
package device

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
)

// ErrTooSmall means that a checkpoint does not fit the device.
var ErrTooSmall = errors.New("device memory is too small")

// Memory is one allocation on a device. Several goroutines may call Write at once
// for ranges that do not overlap.
type Memory interface {
	// Write copies src to offset (bytes) and returns when src may be reused.
	Write(offset int64, src []byte) error
	// Read copies from offset (bytes) into dst.
	Read(offset int64, dst []byte) error
	// Sync returns when every byte written is readable on the device.
	Sync() error
	// Free frees the memory.
	Free() error
}

// Addressable is memory that the CPU and the storage can write to in place. Its
// bytes are valid until Free.
type Addressable interface {
	Bytes() []byte
}

// Device allocates memory.
type Device interface {
	// Name returns host, cuda:N, or several GPUs as cuda:N+cuda:M.
	Name() string
	// Allocate reserves bytes, or fails with ErrTooSmall.
	Allocate(bytes int64) (Memory, error)
	// Used returns how many bytes are allocated.
	Used() int64
	// Close frees everything.
	Close() error
}

// LockerOf returns what page-locks the buffers that d copies from: d itself if it
// is a GPU, nil if d copies equally fast from any memory.
func LockerOf(d Device) hostmem.Locker {
	l, _ := d.(hostmem.Locker)
	return l
}

// Queued is memory of a device that copies on its own.
type Queued interface {
	// Begin starts a copy of src, which is page-locked, to offset (bytes). The
	// copy is complete, and src may be reused, when Sync returns.
	Begin(offset int64, src []byte) error
}

// Meter is a device that others may use as well.
type Meter interface {
	// InUse returns how many bytes of the device are allocated, by anybody.
	InUse() (int64, error)
}

// OnGPU is memory on one GPU or several.
type OnGPU interface {
	// Locate returns the context and the address of the byte at offset.
	Locate(offset int64) (*cuda.Context, cuda.Pointer)
}

// Host is the name of the device in host memory.
const Host = "host"

// Name is a parsed device name: the ordinals of its GPUs, none for Host. A device
// of several GPUs has a name like cuda:0+cuda:1.
type Name struct{ GPUs []int }

// mostGPUs bounds ordinals, and the number of GPUs in a name.
const mostGPUs = 64

// Parse parses a device's name.
func Parse(name string) (Name, error) {
	if name == Host {
		return Name{}, nil
	}
	var n Name
	for part := range strings.SplitSeq(name, "+") {
		digits, ok := strings.CutPrefix(part, "cuda:")
		i, err := strconv.Atoi(digits)
		if !ok || err != nil || i < 0 || i >= mostGPUs || strconv.Itoa(i) != digits {
			return Name{}, fmt.Errorf("no device %q: use host, or cuda:0 and so on", name)
		}
		if slices.Contains(n.GPUs, i) {
			return Name{}, fmt.Errorf("device %q names cuda:%d twice", name, i)
		}
		n.GPUs = append(n.GPUs, i)
	}
	return n, nil
}

// Open opens the named device with room for capacity bytes. A GPU's driver may
// take seconds to start, and so may touching that much host memory.
func Open(name string, capacity int64) (Device, error) {
	n, err := Parse(name)
	if err != nil {
		return nil, err
	}
	if len(n.GPUs) == 0 {
		return newHost(capacity)
	}
	driver, err := cuda.Open("")
	if err != nil {
		return nil, fmt.Errorf("open device %s: %w", name, err)
	}
	return OpenCUDA(driver, n.GPUs, capacity)
}
