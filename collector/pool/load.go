package pool

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/stage"
)

// Deliver brings bytes of a checkpoint to where they belong: b lies at offset
// of file number file. It is called from several goroutines.
type Deliver func(file int, offset int64, b []byte) error

// Loaded says how a load went.
type Loaded struct {
	Hit    bool // the model lay in the pool
	Direct bool // every read went past the page cache; false for a hit
}

// Load brings every byte of c's files into the pool, if they are not there,
// and each chunk to deliver as soon as it is full: while one goroutine
// delivers, others read. It returns when the last chunk is delivered.
func (p *Pool) Load(ctx context.Context, c *checkpoint.Checkpoint, threads int, clock *stage.Timeline, deliver Deliver) (Loaded, error) {
	slices := p.cut(c)
	m, err := p.acquire(c.Dir, len(slices))
	if err != nil {
		return Loaded{}, err
	}
	hit := m.whole
	files, direct, err := openFiles(c, hit, clock)
	if err == nil {
		err = p.fill(ctx, m, slices, files, threads, clock, deliver)
	}
	for _, f := range files {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("close: %w", closeErr)
		}
	}
	// A hit stays whole whatever became of its delivery.
	p.release(m, hit || err == nil)
	return Loaded{Hit: hit, Direct: direct}, err
}

// slice is a chunk's worth of one file.
type slice struct {
	file   int
	offset int64
	bytes  int64
}

// cut divides the files into slices of a chunk each; none spans two files.
func (p *Pool) cut(c *checkpoint.Checkpoint) []slice {
	var slices []slice
	for i, f := range c.Files {
		for offset := int64(0); offset < f.Size; offset += p.chunk {
			slices = append(slices, slice{file: i, offset: offset, bytes: min(p.chunk, f.Size-offset)})
		}
	}
	return slices
}

func openFiles(c *checkpoint.Checkpoint, hit bool, clock *stage.Timeline) (files []*directio.File, direct bool, err error) {
	if hit {
		return nil, false, nil
	}
	end := clock.Start("open")
	defer func() { end(0) }()
	direct = true
	for i, file := range c.Files {
		f, err := directio.Open(c.Path(i), file.Size, true)
		if err != nil {
			return files, false, err
		}
		files = append(files, f)
		direct = direct && f.Direct
	}
	return files, direct, nil
}

// fill reads (unless files is empty: a hit) and delivers every slice. Each
// goroutine takes the next slice that nobody has, so that a slow one holds up
// no other.
func (p *Pool) fill(ctx context.Context, m *model, slices []slice, files []*directio.File, threads int, clock *stage.Timeline, deliver Deliver) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range max(1, min(threads, len(slices))) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(slices) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				s, chunk := slices[i], m.chunks[i]
				if files != nil {
					end := clock.Start("read")
					n, err := files[s.file].ReadAt(chunk, s.offset)
					end(int64(n))
					if err != nil {
						return err
					}
				}
				end := clock.Start("copy")
				err := deliver(s.file, s.offset, chunk[:s.bytes])
				end(s.bytes)
				if err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}
