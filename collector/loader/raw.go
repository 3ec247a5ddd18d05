package loader

import (
	"context"
	"fmt"

	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/stage"
)

// raw stands for nobody's loader but for what the storage gives: the same
// bytes, read into buffers that were there before and dropped.
type raw struct {
	o       Options
	queue   int
	part    int64 // of the buffers, for each of the queue
	buffers []byte
}

var _ Loader = (*raw)(nil)

func openRaw(o Options) (Loader, error) {
	queue := o.queue()
	part := o.IOBytes
	if part == 0 {
		// Many under way are smaller: what counts is how many bytes.
		part = max(directio.Align, min(directio.MaxRequest, directio.Queue*directio.MaxRequest/int64(queue)/directio.Align*directio.Align))
	}
	b, err := hostmem.Map(int64(queue) * part)
	if err != nil {
		return nil, fmt.Errorf("take read buffers: %w", err)
	}
	return &raw{o: o, queue: queue, part: part, buffers: b}, nil
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
	err = carryOut(ctx, requests, l.queue, clock, func(r readRequest, k int) error {
		begin := int64(k) * l.part
		chunk, err := r.read(files, l.buffers[begin:begin+r.bytes:begin+l.part], k, clock)
		clock.Chunk(chunk)
		return err
	})
	if closeErr := files.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", dir, err)
	}
	return &Loaded{Checkpoint: c, Bytes: c.Bytes(), Direct: &direct, Reading: preads(l.queue, requests)}, nil
}
