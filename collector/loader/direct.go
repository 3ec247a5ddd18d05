package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/stage"
)

// direct is the technique of the streamers: fastsafetensors 0.5.0 with nogds
// (O_DIRECT preads by 16 threads; copier/nogds.py and common.py), Run:ai Model
// Streamer 0.17.0 (O_DIRECT into a ring whose addresses agree with file offsets
// modulo a block; file_streamer/requests_iterator.py), and others like them. They
// bypass the page cache, keep many requests in flight, and do not rearrange what
// arrives: each file's tensors lie on the device as they lie in the file.
//
// Where the device's memory is addressable, storage writes to it and the CPU
// copies nothing. Elsewhere each request goes through a page-locked buffer of its
// own, or, if asked for, straight from storage to the GPU: see gds.
type direct struct {
	o       Options
	depth   int             // requests in flight
	staging *hostmem.Buffer // their buffers, if the device needs any; kept between loads
	gds     *gds            // nil: reads go through host memory
}

var _ Loader = (*direct)(nil)

func openDirect(_ context.Context, o Options) (Loader, error) {
	l := &direct{o: o, depth: o.depth()}
	var err error
	if l.gds, err = openGDS(o); err != nil || l.gds != nil {
		return l, err
	}
	if device.LockerOf(o.Device) == nil {
		return l, nil
	}
	// Locking memory for a GPU is slow and is not part of a load.
	if err := l.stage(cmp.Or(o.IOBytes, directio.MaxRequest)); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *direct) Close() error {
	return errors.Join(l.unstage(), l.gds.close())
}

func (l *direct) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	c, err := openIndex(dir, l.o.Format, clock)
	if err != nil {
		return nil, err
	}
	extents, total := tensorExtents(c)
	place := func(t checkpoint.Tensor) int64 {
		if t.Size == 0 {
			return 0
		}
		e := extents[t.File]
		return e.place + t.Offset - e.begin
	}
	// One block more, in case the memory does not begin at one.
	memory, err := allocate(l.o.Device, c, place, total+directio.Align, clock)
	if err != nil {
		return nil, err
	}
	files, err := openFiles(c, true, clock)
	if err != nil {
		return nil, freeAfter(memory, fmt.Errorf("load %s: %w", dir, err))
	}
	direct := files.Direct()
	requests := cutExtents(extents, l.o.requestBytes(total))
	skip, err := l.read(ctx, files, requests, memory, total, clock)
	if closeErr := files.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = memory.Sync()
	}
	if err != nil {
		return nil, freeAfter(memory, fmt.Errorf("load %s: %w", dir, err))
	}
	return &Loaded{
		Checkpoint: c,
		Memory:     memory,
		Bytes:      c.Bytes(),
		Direct:     &direct,
		Reading:    l.reading(requests),
		place:      func(t checkpoint.Tensor) int64 { return skip + place(t) },
	}, nil
}

// read carries the requests out. It returns how many bytes at the beginning of
// the memory it skipped to reach a block boundary.
func (l *direct) read(ctx context.Context, files directio.Files, requests []readRequest, memory device.Memory, total int64, clock *stage.Timeline) (skip int64, err error) {
	if l.gds == nil {
		carry, skip, err := l.carrier(files, requests, memory, clock)
		if err != nil {
			return 0, err
		}
		return skip, carryOut(ctx, requests, l.depth, clock, carry)
	}
	carry, done, err := l.gds.carrier(files, memory, total, clock)
	if err != nil {
		return 0, err
	}
	return 0, errors.Join(carryOut(ctx, requests, l.depth, clock, carry), done())
}

func (l *direct) reading(requests []readRequest) Reading {
	r := preads(l.depth, requests)
	if l.gds != nil {
		r.Method = l.gds.method()
	}
	return r
}

// carrier returns how requests reach the memory, and how many bytes at its
// beginning are skipped to reach a block boundary.
func (l *direct) carrier(files directio.Files, requests []readRequest, memory device.Memory, clock *stage.Timeline) (carry carrier, skip int64, err error) {
	m, ok := memory.(device.Addressable)
	if !ok {
		carry, err = l.staged(files, requests, memory, clock)
		return carry, 0, err
	}
	b := m.Bytes()
	skip = (directio.Align - int64(uintptr(unsafe.Pointer(&b[0]))%directio.Align)) % directio.Align
	return straight(files, b[skip:], clock), skip, nil
}

// straight reads into b itself, where every request has whole blocks.
func straight(files directio.Files, b []byte, clock *stage.Timeline) carrier {
	return func(r readRequest, worker int) error {
		end := r.place + r.bytes
		chunk, err := r.read(files, b[r.place:end:end], worker, clock)
		clock.Chunk(chunk)
		return err
	}
}

// staged reads into page-locked memory, one part for each worker, and copies
// from there to the device.
func (l *direct) staged(files directio.Files, requests []readRequest, memory device.Memory, clock *stage.Timeline) (carrier, error) {
	var part int64
	for _, r := range requests {
		part = max(part, r.bytes)
	}
	if err := l.stage(part); err != nil {
		return nil, err
	}
	return func(r readRequest, worker int) error {
		begin := int64(worker) * part
		buffer := l.staging.Bytes[begin : begin+r.bytes : begin+part]
		chunk, err := r.read(files, buffer, worker, clock)
		if err != nil {
			return err
		}
		err = memory.Write(r.place, buffer[:chunk.Bytes])
		clock.Add("copy", chunk.End, chunk.Bytes)
		chunk.Copied = clock.Elapsed()
		clock.Chunk(chunk)
		return err
	}, nil
}

// stage allocates page-locked memory for requests of part bytes, unless there is
// enough already.
func (l *direct) stage(part int64) error {
	need := part * int64(l.depth)
	if l.staging != nil && need <= int64(len(l.staging.Bytes)) {
		return nil
	}
	if err := l.unstage(); err != nil {
		return err
	}
	b, err := hostmem.NewBuffer(device.LockerOf(l.o.Device), need)
	if err != nil {
		return fmt.Errorf("allocate read buffers: %w", err)
	}
	if device.LockerOf(l.o.Device) != nil && b.LockError != nil {
		return fmt.Errorf("allocate read buffers: %w", errors.Join(b.LockError, b.Close()))
	}
	l.staging = b
	return nil
}

func (l *direct) unstage() error {
	staging := l.staging
	l.staging = nil
	return staging.Close()
}
