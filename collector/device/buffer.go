package device

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Buffer is host memory that a device copies from: page-locked for the device,
// or for the kernel alone where the device has no say in it.
type Buffer struct {
	Bytes []byte
	// LockError is why the memory is not page-locked; nil if it is. It works all
	// the same, only slower.
	LockError error

	locker Locker // that has to unlock it
}

// NewBuffer maps memory of at least size bytes, touches it and page-locks it.
// d may be nil.
func NewBuffer(d Device, size int64) (*Buffer, error) {
	b, err := Map(size)
	if err != nil {
		return nil, err
	}
	locker, ok := d.(Locker)
	if !ok {
		return &Buffer{Bytes: b, LockError: unix.Mlock(b)}, nil
	}
	buffer := &Buffer{Bytes: b, LockError: locker.Lock(b)}
	if buffer.LockError == nil {
		buffer.locker = locker
	}
	return buffer, nil
}

// Close gives the memory back; a nil Buffer has none.
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
