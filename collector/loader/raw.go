package loader

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/stage"
)

// raw stands for nobody's loader but for what the storage gives: the same
// bytes, read by a few threads into a buffer each and dropped.
type raw struct {
	o       Options
	buffers [][]byte
}

var _ Loader = (*raw)(nil)

func openRaw(o Options) (Loader, error) {
	l := &raw{o: o}
	for range max(1, o.Threads) {
		b, err := device.Map(o.ChunkBytes)
		if err != nil {
			return nil, fmt.Errorf("take a read buffer: %w", err)
		}
		l.buffers = append(l.buffers, b[:o.ChunkBytes])
	}
	return l, nil
}

func (l *raw) Close() error {
	for _, b := range l.buffers {
		if err := device.Unmap(b[:cap(b)]); err != nil {
			return err
		}
	}
	l.buffers = nil
	return nil
}

func (l *raw) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	c, err := openIndex(dir, l.o.Format, clock)
	if err != nil {
		return nil, err
	}
	direct := !l.o.Buffered
	for i, file := range c.Files {
		end := clock.Start("open")
		f, err := directio.Open(c.Path(i), file.Size, !l.o.Buffered)
		end(0)
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", dir, err)
		}
		direct = direct && f.Direct
		if err := l.drain(ctx, f, file, clock); err != nil {
			return nil, fmt.Errorf("load %s: %w", dir, closeAfter(f, err))
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("load %s: close: %w", dir, err)
		}
	}
	return &Loaded{Checkpoint: c, Bytes: c.Bytes(), Direct: &direct}, nil
}

// drain reads the whole file, a buffer at a time on each thread.
func (l *raw) drain(ctx context.Context, f *directio.File, file checkpoint.File, clock *stage.Timeline) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for _, buffer := range l.buffers {
		g.Go(func() error {
			for {
				offset := (next.Add(1) - 1) * int64(len(buffer))
				if offset >= file.Size {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				end := clock.Start("read")
				n, err := f.ReadAt(buffer, offset)
				end(int64(n))
				if err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// closeAfter closes f on the way out with an error, which says more than a
// failure to close could.
func closeAfter(f *directio.File, err error) error {
	_ = f.Close()
	return err
}
