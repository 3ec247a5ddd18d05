package loader

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/checkpoint"
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
	c, err := openIndex(dir, l.o.Format, clock)
	if err != nil {
		return nil, err
	}
	places, total := tensorPlaces(c)
	memory, err := allocate(l.o.Device, total, clock)
	if err != nil {
		return nil, err
	}
	files, err := mapFiles(c, clock)
	if err == nil {
		err = l.copyTensors(ctx, c, files, places, memory, clock)
	}
	if err == nil {
		err = memory.Sync()
	}
	// Giving the mappings back belongs to the load: whoever loads this way
	// pays for it before the model serves.
	if closeErr := unmapFiles(files, clock); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, freeAfter(memory, fmt.Errorf("load %s: %w", dir, err))
	}
	return &Loaded{
		Checkpoint: c,
		Memory:     memory,
		Bytes:      c.Bytes(),
		place:      func(t checkpoint.Tensor) int64 { return places[span{t.File, t.Offset}] },
	}, nil
}

// span names a tensor's bytes by where they begin.
type span struct {
	file   int
	offset int64
}

// tensorAlign is where tensors begin on the device, in bytes: CUDA's vector
// loads want 16, its allocator gives 256.
const tensorAlign = 256

// tensorPlaces lays the tensors out one after the other and returns where each
// begins, and the whole length.
func tensorPlaces(c *checkpoint.Checkpoint) (map[span]int64, int64) {
	places := make(map[span]int64, len(c.Tensors))
	var total int64
	for _, t := range c.Tensors {
		if at := (span{t.File, t.Offset}); t.Size > 0 {
			if _, tied := places[at]; !tied {
				places[at] = total
				total += (t.Size + tensorAlign - 1) / tensorAlign * tensorAlign
			}
		}
	}
	return places, total
}

func mapFiles(c *checkpoint.Checkpoint, clock *stage.Timeline) ([][]byte, error) {
	end := clock.Start("open")
	defer func() { end(0) }()
	var files [][]byte
	for i, file := range c.Files {
		if file.Size == 0 {
			files = append(files, nil)
			continue
		}
		f, err := os.Open(c.Path(i))
		if err != nil {
			return files, err
		}
		b, err := unix.Mmap(int(f.Fd()), 0, int(file.Size), unix.PROT_READ, unix.MAP_PRIVATE)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return files, fmt.Errorf("map %s: %w", c.Path(i), err)
		}
		files = append(files, b)
	}
	return files, nil
}

func unmapFiles(files [][]byte, clock *stage.Timeline) error {
	end := clock.Start("close")
	defer func() { end(0) }()
	for _, b := range files {
		if b == nil {
			continue
		}
		if err := unix.Munmap(b); err != nil {
			return fmt.Errorf("unmap: %w", err)
		}
	}
	return nil
}

// pageFaultGrain is how much is copied between two looks at the context.
const pageFaultGrain = 64 << 20

func (l *mapped) copyTensors(ctx context.Context, c *checkpoint.Checkpoint, files [][]byte, places map[span]int64, memory device.Memory, clock *stage.Timeline) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range l.threads {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(c.Tensors) {
					return nil
				}
				t := c.Tensors[i]
				if t.Size == 0 || tiedToPrevious(c.Tensors, i) {
					continue
				}
				end := clock.Start("copy")
				err := copyTensor(ctx, files[t.File][t.Offset:t.Offset+t.Size], places[span{t.File, t.Offset}], memory)
				end(t.Size)
				if err != nil {
					return fmt.Errorf("tensor %s in %s: %w", t.Name, c.Path(t.File), err)
				}
			}
		})
	}
	return g.Wait()
}

// tiedToPrevious says that tensor i lies where the one before it lies: tensors
// are ordered by place.
func tiedToPrevious(tensors []checkpoint.Tensor, i int) bool {
	return i > 0 && tensors[i-1].File == tensors[i].File && tensors[i-1].Offset == tensors[i].Offset && tensors[i-1].Size > 0
}

// copyTensor copies out of a mapping. A page that can't be read, because the
// file was cut short or the disk failed, is a memory fault, which becomes an
// error here.
func copyTensor(ctx context.Context, src []byte, place int64, memory device.Memory) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if fault := recover(); fault != nil {
			if _, ok := fault.(runtime.Error); !ok {
				panic(fault)
			}
			err = fmt.Errorf("a page can't be read: the file was cut short, or the storage failed (%v)", fault)
		}
	}()
	for len(src) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(src), pageFaultGrain)
		if err := memory.Write(place, src[:n]); err != nil {
			return err
		}
		src, place = src[n:], place+int64(n)
	}
	return nil
}
