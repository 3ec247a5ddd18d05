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

// pinned is the loader of safetensors 0.8.0 with PyTorch and a GPU
// (get_tensor_pinned_cuda in bindings/python/src/lib.rs, which load_file and
// safe_open call with device="cuda"). One thread copies file by file, tensor by
// tensor in file order, from PyTorch's mapping (the default backend) into a
// page-locked buffer of the tensor's size, and from there to the device, and
// waits for that before the next tensor.
//
// The package copies with memcpy, and glibc's reads the first bytes of a range,
// then the last ones, then the rest. In a cold file the last bytes are a page
// that read-ahead did not expect. pinned reads in the same order, once per
// tensor. With a read-ahead of 8 MiB on a disk as fast as memory this doubles the
// load time, in the package and here.
//
// The package's buffers come from PyTorch's caching host allocator: sizes are
// rounded up to a power of two, and a released buffer serves the next tensor of
// its size class. Locking a buffer is part of the first load that needs it, as in
// the package. On host the package copies nothing at all; what is timed here is
// its path to a GPU, with a copy in memory for the device's.
type pinned struct {
	o       Options
	buffers map[int]*hostmem.Buffer // by size class
}

var _ Loader = (*pinned)(nil)

func openPinned(_ context.Context, o Options) (Loader, error) {
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
	return mappedLoad{threads: 1, copyTensors: func(ctx context.Context, m mapping, tensors []checkpoint.Tensor) error {
		for _, t := range tensors {
			if err := l.copyTensor(ctx, m, t, clock); err != nil {
				return m.failed(t, err)
			}
		}
		return nil
	}}.load(ctx, dir, l.o, clock)
}

// copyTensor copies one tensor through its buffer.
func (l *pinned) copyTensor(ctx context.Context, m mapping, t checkpoint.Tensor, clock *stage.Timeline) error {
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

// sizeClass returns the exponent of the power of two that bytes, at least one,
// is rounded up to.
func sizeClass(bytes int64) int { return bits.Len64(uint64(bytes - 1)) }

// buffer returns the size class's buffer, which it allocates and locks on first
// use.
func (l *pinned) buffer(size int64, clock *stage.Timeline) ([]byte, error) {
	class := sizeClass(size)
	if b, ok := l.buffers[class]; ok {
		return b.Bytes, nil
	}
	end := clock.Start("pin")
	defer func() { end(0) }()
	b, err := hostmem.NewBuffer(device.LockerOf(l.o.Device), 1<<class)
	if err != nil {
		return nil, fmt.Errorf("allocate a staging buffer: %w", err)
	}
	if device.LockerOf(l.o.Device) != nil && b.LockError != nil {
		return nil, errors.Join(b.LockError, b.Close())
	}
	l.buffers[class] = b // on host, limits may forbid locking; the copies are the same
	return b.Bytes, nil
}
