package loader

import (
	"context"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/stage"
)

// mapped copies tensors, one after the other on each thread, from private
// mappings of the files to the device. No advice is given to the kernel, so
// its default read-ahead is at work.
//
// With one thread it stands for safetensors up to 0.7 under transformers 4;
// with min(4, CPUs) threads for transformers 5, which hands tensors to a
// thread pool of that size.
type mapped struct {
	o       Options
	threads int
}

var _ Loader = (*mapped)(nil)

func openMmap(o Options) (Loader, error) {
	return &mapped{o: o, threads: 1}, nil
}

func openMmapParallel(o Options) (Loader, error) {
	return &mapped{o: o, threads: parallelThreads()}, nil
}

// parallelThreads are as many as transformers 5 takes.
func parallelThreads() int { return min(4, runtime.NumCPU()) }

func (l *mapped) Close() error { return nil }

func (l *mapped) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	return loadMapped(ctx, dir, l.o, l.threads, clock, func(ctx context.Context, m mapping) error {
		return l.copyTensors(ctx, m, clock)
	})
}

func (l *mapped) copyTensors(ctx context.Context, m mapping, clock *stage.Timeline) error {
	var next atomic.Int64
	tensors := m.checkpoint.Tensors
	_, inPlace := m.memory.(device.Addressable)
	g, ctx := errgroup.WithContext(ctx)
	for range l.threads {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(tensors) {
					return nil
				}
				t := tensors[i]
				if t.Size == 0 || tiedToPrevious(tensors, i) {
					continue
				}
				write := m.writer(m.place(t))
				begun := clock.Elapsed()
				err := copyMapped(ctx, m.bytes(t), func(offset int64, src []byte) error {
					if !inPlace {
						touch(src)
					}
					return write(offset, src)
				})
				clock.Add("copy", begun, t.Size)
				if err != nil {
					return m.failed(t, err)
				}
			}
		})
	}
	return g.Wait()
}
