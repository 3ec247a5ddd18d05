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

// direct stands for the streamers: fastsafetensors 0.5.0 (with nogds: O_DIRECT
// preads by 16 threads, its Python sources copier/nogds.py and common.py),
// Run:ai Model Streamer 0.17.0 (O_DIRECT into a ring whose addresses agree with
// the file's offsets modulo a block: file_streamer/requests_iterator.py) and
// their like. They have in common that nothing goes through the page cache,
// that many requests are under way at once, and that what arrives is not
// rearranged: each file's tensors lie on the device as they lie in the file.
//
// Where the device's memory is addressable the storage writes to it, and no
// byte is copied by the CPU. Elsewhere a request goes through a page-locked
// buffer of its own, or, where that is asked for, straight from the storage to
// the GPU: see gds.
type direct struct {
	o       Options
	queue   int             // requests under way at once
	staging *hostmem.Buffer // memory for them, where a device needs it; kept for the next load
	gds     *gds            // nil: reads come through the host
}

var _ Loader = (*direct)(nil)

func openDirect(o Options) (Loader, error) {
	l := &direct{o: o, queue: o.queue()}
	var err error
	if l.gds, err = openGDS(o); err != nil || l.gds != nil {
		return l, err
	}
	if device.LockerOf(o.Device) == nil {
		return l, nil
	}
	// Locking memory for a GPU takes long, and is no part of a load.
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
	// A block more, in case that the memory does not begin at one.
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
	skip, err := l.bring(ctx, c, files, requests, memory, total, clock)
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

// bring carries the requests out, and says how much of the memory's beginning
// is skipped.
func (l *direct) bring(ctx context.Context, c *checkpoint.Checkpoint, files directio.Files, requests []readRequest, memory device.Memory, total int64, clock *stage.Timeline) (skip int64, err error) {
	if l.gds == nil {
		bring, skip, err := l.bringer(files, requests, memory, clock)
		if err != nil {
			return 0, err
		}
		return skip, carryOut(ctx, requests, l.queue, clock, bring)
	}
	sizes := make([]int64, len(c.Files))
	for i, f := range c.Files {
		sizes[i] = f.Size
	}
	bring, done, err := l.gds.bringer(files, sizes, memory, total, clock)
	if err != nil {
		return 0, err
	}
	return 0, errors.Join(carryOut(ctx, requests, l.queue, clock, bring), done())
}

func (l *direct) reading(requests []readRequest) Reading {
	r := preads(l.queue, requests)
	if l.gds != nil {
		r.Method = l.gds.method()
	}
	return r
}

// bringer chooses how requests come to memory, and says how much of its
// beginning is skipped to come to a block's beginning.
func (l *direct) bringer(files directio.Files, requests []readRequest, memory device.Memory, clock *stage.Timeline) (bring bringer, skip int64, err error) {
	m, ok := memory.(device.Addressable)
	if !ok {
		bring, err = l.staged(files, requests, memory, clock)
		return bring, 0, err
	}
	b := m.Bytes()
	skip = (directio.Align - int64(uintptr(unsafe.Pointer(&b[0]))%directio.Align)) % directio.Align
	return straight(files, b[skip:], clock), skip, nil
}

// straight lets the storage write to b, where every request has whole blocks.
func straight(files directio.Files, b []byte, clock *stage.Timeline) bringer {
	return func(r readRequest, k int) error {
		end := r.place + r.bytes
		chunk, err := r.read(files, b[r.place:end:end], k, clock)
		clock.Chunk(chunk)
		return err
	}
}

// staged reads into page-locked memory, a part of it for each place in the
// queue, from which the device copies.
func (l *direct) staged(files directio.Files, requests []readRequest, memory device.Memory, clock *stage.Timeline) (bringer, error) {
	var part int64
	for _, r := range requests {
		part = max(part, r.bytes)
	}
	if err := l.stage(part); err != nil {
		return nil, err
	}
	return func(r readRequest, k int) error {
		begin := int64(k) * part
		buffer := l.staging.Bytes[begin : begin+r.bytes : begin+part]
		chunk, err := r.read(files, buffer, k, clock)
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

// stage sees to it that there is page-locked memory for as many bytes of each
// place in the queue.
func (l *direct) stage(part int64) error {
	need := part * int64(l.queue)
	if l.staging != nil && need <= int64(len(l.staging.Bytes)) {
		return nil
	}
	if err := l.unstage(); err != nil {
		return err
	}
	b, err := hostmem.NewBuffer(device.LockerOf(l.o.Device), need)
	if err != nil {
		return fmt.Errorf("take read buffers: %w", err)
	}
	if device.LockerOf(l.o.Device) != nil && b.LockError != nil {
		return fmt.Errorf("take read buffers: %w", errors.Join(b.LockError, b.Close()))
	}
	l.staging = b
	return nil
}

func (l *direct) unstage() error {
	staging := l.staging
	l.staging = nil
	return staging.Close()
}
