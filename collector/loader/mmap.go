package loader

import (
	"cmp"
	"context"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/stage"
)

// mapped copies tensors, one after the other on each thread, from mappings of
// the files to the device.
type mapped struct {
	o        Options
	threads  int
	together bool
	order    func(a, b checkpoint.Tensor) int
}

var _ Loader = (*mapped)(nil)

// openMmap stands for transformers 4 (load_state_dict in modeling_utils.py of
// 4.57) with safetensors up to 0.7: one thread, file by file, tensor by tensor.
func openMmap(o Options) (Loader, error) {
	return &mapped{o: o, threads: 1}, nil
}

// openMmapParallel stands for transformers 5 (convert_and_load_state_dict_in_model
// in core_model_loading.py of 5.23): all files are open from the first tensor to
// the last, and tensors go, in the order of their names, to a pool of min(4, CPUs)
// threads.
func openMmapParallel(o Options) (Loader, error) {
	return &mapped{o: o, threads: parallelThreads(), together: true, order: func(a, b checkpoint.Tensor) int {
		return naturally(a.Name, b.Name)
	}}, nil
}

// parallelThreads are as many as transformers 5 takes.
func parallelThreads() int { return min(4, runtime.NumCPU()) }

func (l *mapped) Close() error { return nil }

func (l *mapped) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	return mappedLoad{
		threads:  l.threads,
		together: l.together,
		order:    l.order,
		bring: func(ctx context.Context, m mapping, tensors []checkpoint.Tensor) error {
			return l.copyTensors(ctx, m, tensors, clock)
		},
	}.load(ctx, dir, l.o, clock)
}

func (l *mapped) copyTensors(ctx context.Context, m mapping, tensors []checkpoint.Tensor, clock *stage.Timeline) error {
	var next atomic.Int64
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

// naturally compares names as transformers 5 orders tensors (dot_natural_key in
// core_model_loading.py): part by part, which dots end, numbers by their value and
// before words, words by their letters and then by the number that they end in.
func naturally(a, b string) int {
	for {
		partA, restA, moreA := strings.Cut(a, ".")
		partB, restB, moreB := strings.Cut(b, ".")
		if n := partNaturally(partA, partB); n != 0 {
			return n
		}
		switch {
		case moreA && !moreB:
			return 1
		case !moreA && moreB:
			return -1
		case !moreA:
			return 0
		}
		a, b = restA, restB
	}
}

func partNaturally(a, b string) int {
	const digits = "0123456789"
	textA, textB := strings.TrimRight(a, digits), strings.TrimRight(b, digits)
	numberA, numberB := a[len(textA):], b[len(textB):]
	if isA, isB := textA == "" && numberA != "", textB == "" && numberB != ""; isA != isB {
		if isA {
			return -1
		}
		return 1
	}
	if n := cmp.Compare(textA, textB); n != 0 {
		return n
	}
	if numberA == "" || numberB == "" {
		return cmp.Compare(len(numberA), len(numberB))
	}
	numberA, numberB = strings.TrimLeft(numberA, "0"), strings.TrimLeft(numberB, "0")
	if n := cmp.Compare(len(numberA), len(numberB)); n != 0 {
		return n
	}
	return cmp.Compare(numberA, numberB)
}
