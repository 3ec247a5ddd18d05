package hostmem

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Locker page-locks memory of Map in its own way: a GPU, for instance, copies
// fast only from memory that its driver has registered. Memory must be unlocked
// before it is unmapped.
type Locker interface {
	Lock(b []byte) error
	Unlock(b []byte) error
}

// Buffer is page-locked memory.
type Buffer struct {
	Bytes []byte
	// LockError is why the memory is not page-locked; nil if it is. The memory
	// works either way, but slower without the lock.
	LockError error

	locker Locker // that locked it, and has to unlock it
}

// NewBuffer maps at least size bytes, touches them and page-locks them with l,
// or with mlock(2) if l is nil.
func NewBuffer(l Locker, size int64) (*Buffer, error) {
	b, err := Map(size)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return &Buffer{Bytes: b, LockError: unix.Mlock(b)}, nil
	}
	buffer := &Buffer{Bytes: b, LockError: l.Lock(b)}
	if buffer.LockError == nil {
		buffer.locker = l
	}
	return buffer, nil
}

// Close unlocks and unmaps the memory. Closing a nil or closed Buffer does
// nothing.
func (b *Buffer) Close() error {
	if b == nil || b.Bytes == nil {
		return nil
	}
	var err error
	if b.locker != nil {
		err = b.locker.Unlock(b.Bytes)
	}
	bytes := b.Bytes
	b.Bytes = nil
	return errors.Join(err, Unmap(bytes))
}
