package loader

import (
	"context"
	"errors"
	"fmt"
	"math/bits"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/stage"
)

// pinned stands for what safetensors 0.8.0 does with PyTorch and a GPU
// (get_tensor_pinned_cuda in bindings/python/src/lib.rs), as load_file and
// safe_open reach it with device="cuda": one thread, file by file, tensor by tensor
// in the order of the file, out of PyTorch's mapping (its default backend) into a
// page-locked buffer of the tensor's size, and from there to the device, waited
// for before the next tensor begins.
//
// It copies by memcpy, and glibc's reads the first bytes of a range, the last ones,
// and then the rest: of a cold file, the last are a page that read-ahead did not
// expect. So does this, once a tensor. With a read-ahead of 8 MiB on a disk as fast as memory it makes the load
// take twice as long, there and here.
//
// The buffers come from PyTorch's caching host allocator there: sizes are
// rounded up to a power of two, and a buffer that was given back serves the next
// tensor of its size class. Locking one is part of the load that first needs
// it, as it is there. On host the real package copies nothing at all; what is
// timed here is its way to a GPU, the device's copy being one of memory.
type pinned struct {
	o       Options
	buffers map[int]*hostmem.Buffer // by the power of two
}

var _ Loader = (*pinned)(nil)

func openPinned(o Options) (Loader, error) {
	return &pinned{o: o, buffers: map[int]*hostmem.Buffer{}}, nil
}

func (l *pinned) Close() error {
	var err error
	for _, b := range l.buffers {
		err = errors.Join(err, b.Close())
	}
	l.buffers = nil
	return err
}

func (l *pinned) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	return mappedLoad{threads: 1, bring: func(ctx context.Context, m mapping, tensors []checkpoint.Tensor) error {
		for _, t := range tensors {
			if err := l.bring(ctx, m, t, clock); err != nil {
				return m.failed(t, err)
			}
		}
		return nil
	}}.load(ctx, dir, l.o, clock)
}

// bring takes one tensor through its buffer.
func (l *pinned) bring(ctx context.Context, m mapping, t checkpoint.Tensor, clock *stage.Timeline) error {
	buffer, err := l.buffer(t.Size, clock)
	if err != nil {
		return err
	}
	begun := clock.Elapsed()
	src := m.bytes(t)
	err = copyMapped(ctx, src, func(offset int64, part []byte) error {
		if offset == 0 {
			touch(src[:1])
			touch(src[len(src)-1:])
		}
		return inWindows(part, func(at int, part []byte) error {
			copy(buffer[offset+int64(at):], part)
			return nil
		})
	})
	clock.Add("read", begun, t.Size)
	if err != nil {
		return err
	}
	begun = clock.Elapsed()
	err = m.writer(m.place(t))(0, buffer[:t.Size])
	clock.Add("copy", begun, t.Size)
	return err
}

// sizeClass is the power of two that so many bytes, at least one, are rounded
// up to.
func sizeClass(bytes int64) int { return bits.Len64(uint64(bytes - 1)) }

// buffer finds the size class's buffer, or makes and locks it.
func (l *pinned) buffer(size int64, clock *stage.Timeline) ([]byte, error) {
	class := sizeClass(size)
	if b, ok := l.buffers[class]; ok {
		return b.Bytes, nil
	}
	end := clock.Start("pin")
	defer func() { end(0) }()
	b, err := hostmem.NewBuffer(device.LockerOf(l.o.Device), 1<<class)
	if err != nil {
		return nil, fmt.Errorf("take a staging buffer: %w", err)
	}
	if device.LockerOf(l.o.Device) != nil && b.LockError != nil {
		return nil, errors.Join(b.LockError, b.Close())
	}
	l.buffers[class] = b // on host, where the limits may forbid locking, the copies are the same
	return b.Bytes, nil
}
