package loader

import (
	"context"
	"fmt"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/pool"
	"github.com/sllmq/sllmq/collector/stage"
)

// pooled is the technique of ServerlessLLM's store (its documentation calls it
// multi-tier loading; serverless-llm-store 0.8.0) in this process: a few threads
// fill a page-locked pool of chunks with O_DIRECT reads, each read is copied to
// the device as soon as it completes, and models stay in the pool while there is
// room. Unlike in the store, chunks are only the unit of allocation and do not
// set the size of reads, and a model whose files have been replaced or written to
// is read again (see checkpoint.Identity).
//
// The device's memory is one allocation laid out as the files are, so that a
// chunk needs one copy.
type pooled struct {
	o    Options
	pool *pool.Pool
}

var (
	_ Loader   = (*pooled)(nil)
	_ Preparer = (*pooled)(nil)
)

func openPool(_ context.Context, o Options) (Loader, error) {
	p, err := pool.New(pool.Options{Bytes: o.PoolBytes, ChunkBytes: o.ChunkBytes, Depth: o.Depth, Threads: o.Threads, RequestBytes: o.IOBytes, Stream: o.Stream, Locker: device.LockerOf(o.Device)})
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
	loaded, err := l.copyFiles(ctx, c, clock, bases, memory)
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

// copyFiles copies the files to the memory, each to its base. A device that
// copies asynchronously gets a model that is in the pool all at once.
func (l *pooled) copyFiles(ctx context.Context, c *checkpoint.Checkpoint, clock *stage.Timeline, bases []int64, memory device.Memory) (pool.Loaded, error) {
	to := pool.Destination{
		Write: func(file int, offset int64, b []byte) error { return memory.Write(bases[file]+offset, b) },
		Sync:  memory.Sync,
	}
	if queued, ok := memory.(device.Queued); ok {
		if resident, ok := l.pool.Resident(c); ok {
			defer resident.Release()
			to.Begin = func(file int, offset int64, b []byte) error { return queued.Begin(bases[file]+offset, b) }
			return pool.Loaded{Hit: true}, resident.CopyTo(ctx, clock, to)
		}
	}
	open := func() (directio.Files, error) { return openFiles(c, true, clock) }
	loaded, err := l.pool.Load(ctx, c, open, clock, to.Write)
	if err != nil {
		return loaded, err
	}
	return loaded, to.Sync()
}

// fileBases lays the files end to end and returns their offsets and the total
// length in bytes.
func fileBases(c *checkpoint.Checkpoint) (bases []int64, total int64) {
	for _, f := range c.Files {
		bases = append(bases, total)
		total += f.Size
	}
	return bases, total
}

// freeAfter frees memory after a load that failed with err.
func freeAfter(m device.Memory, err error) error {
	if freeErr := m.Free(); freeErr != nil {
		return fmt.Errorf("%w (and freeing the device's memory failed: %w)", err, freeErr)
	}
	return err
}
