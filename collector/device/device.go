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

// Parse checks a device's name. Only host is there yet.
func Parse(name string) error {
	if name != "host" {
		return fmt.Errorf("device %q is not there yet: use host", name)
	}
	return nil
}

// Open starts the named device with room for capacity bytes.
func Open(name string, capacity int64) (Device, error) {
	if err := Parse(name); err != nil {
		return nil, err
	}
	return newHost(capacity)
}
