// Package device is where the weights of a load end up.
//
// A device has memory of its own: it is there, physically, before a load
// begins, as the memory of a GPU is. Allocating from it inside a load
// therefore costs what an allocator costs, and not the first touch of fresh
// pages.
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

// ErrTooSmall says that a checkpoint does not fit the device.
var ErrTooSmall = errors.New("device memory is too small")

// Memory is one allocation on a device. Write may be called from several
// goroutines at once for ranges that do not overlap.
type Memory interface {
	// Write copies src to offset (bytes) and returns when src may be reused.
	Write(offset int64, src []byte) error
	// Read copies from offset (bytes) into dst.
	Read(offset int64, dst []byte) error
	// Sync returns when every byte written is readable on the device.
	Sync() error
	// Free gives the memory back.
	Free() error
}

// Addressable is memory that the CPU and the storage can write to where it
// lies, so that nothing need be copied to it. Its bytes are valid until Free.
type Addressable interface {
	Bytes() []byte
}

// Device hands out memory.
type Device interface {
	// Name is host or cuda:N.
	Name() string
	// Allocate reserves bytes, or fails with ErrTooSmall.
	Allocate(bytes int64) (Memory, error)
	// Used is how many bytes are allocated now.
	Used() int64
	// Close gives everything back.
	Close() error
}

// LockerOf returns what page-locks the buffers that d copies from: d itself if
// it is a GPU, and nil if any memory will do.
func LockerOf(d Device) hostmem.Locker {
	l, _ := d.(hostmem.Locker)
	return l
}

// Queued is memory of a device that copies by itself.
type Queued interface {
	// Begin begins a copy of src, page-locked, to offset (bytes). It is there,
	// and src may be reused, when Sync has returned.
	Begin(offset int64, src []byte) error
}

// Meter is a device that others may use too.
type Meter interface {
	// InUse is how many bytes of the device are taken, by whomever.
	InUse() (int64, error)
}

// OnGPU is memory of a GPU, or of several.
type OnGPU interface {
	// Locate says where the byte at offset lies, and in which context.
	Locate(offset int64) (*cuda.Context, cuda.Pointer)
}

// Name is a device's name, taken apart: the ordinals of its GPUs, none for
// host. One model spread over several GPUs has a name like cuda:0+cuda:1.
type Name struct{ GPUs []int }

// mostGPUs bounds an ordinal, and how many there can be of them.
const mostGPUs = 64

// Parse takes a device's name apart.
func Parse(name string) (Name, error) {
	if name == "host" {
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

// Open starts the named device with room for capacity bytes.
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
