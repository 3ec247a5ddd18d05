package loader

import (
	"context"
	"fmt"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/pool"
	"github.com/sllmq/sllmq/collector/stage"
)

// pooled stands for the technique of the ServerlessLLM store (its
// documentation calls it multi-tier loading), in this process: a page-locked
// pool of chunks filled by a few threads with O_DIRECT reads, what is read
// copied to the device at once, models kept while there is room. How much one
// read asks for does not follow from the chunks, which are how room is given
// out. A model whose files were replaced or written to since is read anew (see
// checkpoint.Identity), which the store of ServerlessLLM does not do.
//
// The device's memory is one allocation laid out as the files are, so that a
// chunk goes over in one copy.
type pooled struct {
	o    Options
	pool *pool.Pool
}

var (
	_ Loader   = (*pooled)(nil)
	_ Preparer = (*pooled)(nil)
)

func openPool(o Options) (Loader, error) {
	p, err := pool.New(pool.Options{Bytes: o.PoolBytes, ChunkBytes: o.ChunkBytes, Queue: o.Depth, Threads: o.Threads, RequestBytes: o.IOBytes, Stream: o.Stream, Locker: device.LockerOf(o.Device)})
	if err != nil {
		return nil, err
	}
	return &pooled{o: o, pool: p}, nil
}

func (l *pooled) Prepared() Prepared {
	return Prepared{PoolBytes: l.pool.Bytes(), LockError: l.pool.LockError()}
}

func (l *pooled) Close() error { return l.pool.Close() }

func (l *pooled) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	c, err := openIndex(dir, l.o.Format, clock)
	if err != nil {
		return nil, err
	}
	bases, total := fileBases(c)
	place := func(t checkpoint.Tensor) int64 { return bases[t.File] + t.Offset }
	memory, err := allocate(l.o.Device, c, place, total, clock)
	if err != nil {
		return nil, err
	}
	loaded, err := l.bring(ctx, c, clock, bases, memory)
	if err != nil {
		return nil, freeAfter(memory, fmt.Errorf("load %s: %w", dir, err))
	}
	result := &Loaded{
		Checkpoint: c,
		Memory:     memory,
		Bytes:      c.Bytes(),
		PoolHit:    &loaded.Hit,
		Streamed:   &loaded.Streamed,
		Evicted:    &loaded.Evicted,
		place:      place,
	}
	if !loaded.Hit {
		result.Direct = &loaded.Direct
		result.Reading = Reading{Method: "pread", Depth: loaded.Depth, Bytes: loaded.RequestBytes}
	}
	return result, nil
}

// bring brings the files' bytes to where their bases say. A device that copies
// by itself is told all at once of a model that lies in the pool.
func (l *pooled) bring(ctx context.Context, c *checkpoint.Checkpoint, clock *stage.Timeline, bases []int64, memory device.Memory) (pool.Loaded, error) {
	to := pool.Destination{
		Write: func(file int, offset int64, b []byte) error { return memory.Write(bases[file]+offset, b) },
		Sync:  memory.Sync,
	}
	if queued, ok := memory.(device.Queued); ok {
		if resident, ok := l.pool.Resident(c); ok {
			defer resident.Release()
			to.Begin = func(file int, offset int64, b []byte) error { return queued.Begin(bases[file]+offset, b) }
			return pool.Loaded{Hit: true}, resident.Bring(ctx, clock, to)
		}
	}
	loaded, err := l.pool.Load(ctx, c, clock, to.Write)
	if err != nil {
		return loaded, err
	}
	return loaded, to.Sync()
}

// fileBases lays the files end to end and returns where each begins, and the
// whole length.
func fileBases(c *checkpoint.Checkpoint) (bases []int64, total int64) {
	for _, f := range c.Files {
		bases = append(bases, total)
		total += f.Size
	}
	return bases, total
}

// freeAfter gives memory back on the way out with an error.
func freeAfter(m device.Memory, err error) error {
	if freeErr := m.Free(); freeErr != nil {
		return fmt.Errorf("%w (and freeing the device's memory failed: %w)", err, freeErr)
	}
	return err
}
