package loader

import (
	"context"
	"fmt"

	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/stage"
)

// raw measures the storage alone. It stands for no program: it reads the same
// bytes as direct into buffers that it allocated when it was opened, and drops
// them.
type raw struct {
	o       Options
	depth   int
	part    int64 // size of each request's buffer
	buffers []byte
}

var _ Loader = (*raw)(nil)

func openRaw(_ context.Context, o Options) (Loader, error) {
	depth := o.depth()
	part := o.IOBytes
	if part == 0 {
		// Deeper queues get smaller requests: what counts is the bytes in flight.
		part = max(directio.Align, min(directio.MaxRequest, directio.Queue*directio.MaxRequest/int64(depth)/directio.Align*directio.Align))
	}
	b, err := hostmem.Map(int64(depth) * part)
	if err != nil {
		return nil, fmt.Errorf("allocate read buffers: %w", err)
	}
	return &raw{o: o, depth: depth, part: part, buffers: b}, nil
}

func (l *raw) Close() error {
	buffers := l.buffers
	l.buffers = nil
	return hostmem.Unmap(buffers)
}

func (l *raw) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	c, err := openIndex(dir, l.o.Format, clock)
	if err != nil {
		return nil, err
	}
	files, err := openFiles(c, !l.o.Buffered, clock)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", dir, err)
	}
	direct := files.Direct()
	extents, total := tensorExtents(c)
	requests := cutExtents(extents, min(l.part, l.o.requestBytes(total)))
	err = carryOut(ctx, requests, l.depth, clock, func(r readRequest, worker int) error {
		begin := int64(worker) * l.part
		chunk, err := r.read(files, l.buffers[begin:begin+r.bytes:begin+l.part], worker, clock)
		clock.Chunk(chunk)
		return err
	})
	if closeErr := files.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", dir, err)
	}
	return &Loaded{Checkpoint: c, Bytes: c.Bytes(), Direct: &direct, Reading: preads(l.depth, requests)}, nil
}
