package loader

import (
	"context"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/stage"
)

// direct stands for the streamers: fastsafetensors 0.5.0 (with nogds: O_DIRECT
// preads by 16 threads, its Python sources copier/nogds.py and common.py),
// Run:ai Model Streamer 0.17.0 (O_DIRECT into a ring whose addresses agree with
// the file's offsets modulo a block: file_streamer/requests_iterator.py) and
// InstantTensor. They have in common that nothing goes through the page cache,
// that many requests are under way at once, and that what arrives is not
// rearranged: each file's tensors lie on the device as they lie in the file.
//
// Where the device's memory is addressable the storage writes to it, and no
// byte is copied by the CPU. Elsewhere a request goes through a page-locked
// buffer of its own.
type direct struct {
	o       Options
	queue   int   // requests under way at once
	request int64 // bytes of each, a multiple of directio.Align
	staging []byte // a request's bytes for each of the queue, once a device has needed it
}

var _ Loader = (*direct)(nil)

const (
	// directRequest is how much is asked for at once: large enough that the
	// storage is not asked often, small enough that a file of 100 MB keeps the
	// queue full to its end.
	directRequest = 4 << 20
	// directQueue is the least number of requests under way.
	directQueue = 8
)

func openDirect(o Options) (Loader, error) {
	return &direct{o: o, queue: max(o.Threads, directQueue), request: directRequest}, nil
}

func (l *direct) Close() error {
	staging := l.staging
	l.staging = nil
	return device.Unmap(staging)
}

func (l *direct) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	c, err := openIndex(dir, l.o.Format, clock)
	if err != nil {
		return nil, err
	}
	extents, total := tensorExtents(c)
	// A block more, in case that the memory does not begin at one.
	memory, err := allocate(l.o.Device, total+directio.Align, clock)
	if err != nil {
		return nil, err
	}
	files, err := openFiles(c, true, clock)
	if err != nil {
		return nil, freeAfter(memory, fmt.Errorf("load %s: %w", dir, err))
	}
	direct := files.Direct()
	skip, err := l.read(ctx, files, extents, memory, clock)
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
		place: func(t checkpoint.Tensor) int64 {
			if t.Size == 0 {
				return 0
			}
			e := extents[t.File]
			return skip + e.place + t.Offset - e.begin
		},
	}, nil
}

// extent is the part of a file that holds its tensors, in whole blocks, and
// where it lies on the device. Its end may be past the file's.
type extent struct {
	begin, end int64
	place      int64
}

// tensorExtents finds each file's extent, lays them end to end, and returns
// the whole length. Offsets on the device and in the file agree modulo a
// block, which O_DIRECT wants; headers, which are read already, stay behind but
// for the last block.
func tensorExtents(c *checkpoint.Checkpoint) (extents []extent, total int64) {
	extents = make([]extent, len(c.Files))
	for _, t := range c.Tensors { // in the order of their places
		if t.Size == 0 {
			continue
		}
		e := &extents[t.File]
		if e.end == 0 {
			e.begin = t.Offset / directio.Align * directio.Align
		}
		e.end = max(e.end, (t.Offset+t.Size+directio.Align-1)/directio.Align*directio.Align)
	}
	for i := range extents {
		extents[i].place = total
		total += extents[i].end - extents[i].begin
	}
	return extents, total
}

// readRequest is one read: bytes of a file, and where on the device they go.
type readRequest struct {
	file          int
	offset, bytes int64
	place         int64
}

// cut divides the extents into requests.
func (l *direct) cut(extents []extent) []readRequest {
	var requests []readRequest
	for i, e := range extents {
		for at := e.begin; at < e.end; at += l.request {
			requests = append(requests, readRequest{i, at, min(l.request, e.end-at), e.place + at - e.begin})
		}
	}
	return requests
}

// read brings the extents to memory, and returns how much of its beginning was
// skipped to come to a block's beginning.
func (l *direct) read(ctx context.Context, files directio.Files, extents []extent, memory device.Memory, clock *stage.Timeline) (skip int64, err error) {
	var bring bringer
	if m, ok := memory.(device.Addressable); ok {
		b := m.Bytes()
		skip = (directio.Align - int64(uintptr(unsafe.Pointer(&b[0]))%directio.Align)) % directio.Align
		bring = straight(files, b[skip:], clock)
	} else if bring, err = l.staged(files, memory, clock); err != nil {
		return 0, err
	}
	requests := l.cut(extents)
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for k := range min(l.queue, len(requests)) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := bring(requests[i], k); err != nil {
					return err
				}
			}
		})
	}
	return skip, g.Wait()
}

// bringer carries a request out; k is its place in the queue.
type bringer func(r readRequest, k int) error

// straight lets the storage write to b, where every request has whole blocks.
func straight(files directio.Files, b []byte, clock *stage.Timeline) bringer {
	return func(r readRequest, _ int) error {
		end := r.place + r.bytes
		begun := clock.Elapsed()
		n, err := files[r.file].ReadAt(b[r.place:end:end], r.offset)
		clock.Add("read", begun, int64(n))
		return err
	}
}

// staged reads into page-locked buffers, from which the device copies.
func (l *direct) staged(files directio.Files, memory device.Memory, clock *stage.Timeline) (bringer, error) {
	if l.staging == nil {
		b, err := device.Map(int64(l.queue) * l.request)
		if err != nil {
			return nil, fmt.Errorf("take read buffers: %w", err)
		}
		_ = unix.Mlock(b) // unlocked they are as good, only slower
		l.staging = b
	}
	return func(r readRequest, k int) error {
		begin := int64(k) * l.request
		buffer := l.staging[begin : begin+r.bytes : begin+l.request]
		begun := clock.Elapsed()
		n, err := files[r.file].ReadAt(buffer, r.offset)
		clock.Add("read", begun, int64(n))
		if err != nil {
			return err
		}
		begun = clock.Elapsed()
		err = memory.Write(r.place, buffer[:n])
		clock.Add("copy", begun, int64(n))
		return err
	}, nil
}

// openFiles opens the files that hold tensors.
func openFiles(c *checkpoint.Checkpoint, direct bool, clock *stage.Timeline) (directio.Files, error) {
	end := clock.Start("open")
	defer func() { end(0) }()
	paths, sizes := make([]string, len(c.Files)), make([]int64, len(c.Files))
	for i, f := range c.Files {
		paths[i], sizes[i] = c.Path(i), f.Size
	}
	return directio.OpenAll(paths, sizes, direct)
}
