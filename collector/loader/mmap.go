package loader

import (
	"cmp"
	"context"
	"runtime"
	"strings"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/stage"
	"github.com/sllmq/sllmq/collector/workqueue"
)

// mapped copies tensors from mapped files to the device, one tensor at a time
// on each thread. It implements two loaders, mmap and mmap-parallel, which are
// what from_pretrained of two generations of transformers does with the bytes.
type mapped struct {
	o        Options
	threads  int
	together bool
	order    func(a, b checkpoint.Tensor) int
}

var _ Loader = (*mapped)(nil)

// openMmap opens mmap: transformers 4 (load_state_dict in modeling_utils.py of
// 4.57) with safetensors up to 0.7. One thread copies file by file, tensor by
// tensor.
func openMmap(_ context.Context, o Options) (Loader, error) {
	return &mapped{o: o, threads: 1}, nil
}

// openMmapParallel opens mmap-parallel: transformers 5
// (convert_and_load_state_dict_in_model in core_model_loading.py of 5.23). All
// files stay open from the first tensor to the last, and a pool of min(4, CPUs)
// threads copies the tensors in the order of their names.
func openMmapParallel(_ context.Context, o Options) (Loader, error) {
	return &mapped{o: o, threads: parallelThreads(), together: true, order: func(a, b checkpoint.Tensor) int {
		return naturally(a.Name, b.Name)
	}}, nil
}

// parallelThreads is the number of threads that transformers 5 uses.
func parallelThreads() int { return min(4, runtime.NumCPU()) }

func (l *mapped) Close() error { return nil }

func (l *mapped) Load(ctx context.Context, dir string, clock *stage.Timeline) (*Loaded, error) {
	return mappedLoad{
		threads:  l.threads,
		together: l.together,
		order:    l.order,
		copyTensors: func(ctx context.Context, m mapping, tensors []checkpoint.Tensor) error {
			return l.copyTensors(ctx, m, tensors, clock)
		},
	}.load(ctx, dir, l.o, clock)
}

func (l *mapped) copyTensors(ctx context.Context, m mapping, tensors []checkpoint.Tensor, clock *stage.Timeline) error {
	_, inPlace := m.memory.(device.Addressable)
	return workqueue.Run(ctx, len(tensors), l.threads, func(ctx context.Context, i, _ int) error {
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
		return nil
	})
}

// naturally compares names as transformers 5 orders tensors (dot_natural_key in
// core_model_loading.py): part by part, separated by dots. Numbers compare by
// value and sort before words; words compare by their letters and then by the
// number that they end in.
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
