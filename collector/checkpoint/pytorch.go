package checkpoint

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/checkpoint/torchfile"
)

// Names that transformers gives to torch.save's files.
const (
	pickleName      = "pytorch_model.bin"
	pickleIndexName = "pytorch_model.bin.index.json"
)

// isPickle knows the endings of files of weights that torch.save wrote, and
// leaves out what trainers write beside them.
func isPickle(name string) bool {
	switch name {
	case "training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scheduler.bin", "scaler.pt":
		return false
	}
	switch filepath.Ext(name) {
	case ".bin", ".pt", ".pth", ".ckpt":
		return true
	}
	return false
}

// openPyTorch locates the tensors in the files that torch.save wrote to dir.
// torch stores tensors as they are in memory, so its files consist of an index
// and plain bytes like those of the other formats.
func openPyTorch(ctx context.Context, dir string) (*Checkpoint, error) {
	names, err := pickleFiles(dir)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Dir: dir, Format: pyTorch}
	where := map[string]int{}
	for i, name := range names {
		path := filepath.Join(dir, name)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		tensors, size, err := readPickle(path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		c.Files = append(c.Files, File{Name: name, Size: size})
		for _, t := range tensors {
			if first, twice := where[t.Name]; twice {
				return nil, fmt.Errorf("read %s: %w", path, corrupt("tensor %q is in %s too: keep one of them", clip(t.Name), names[first]))
			}
			where[t.Name] = i
			d, err := ParseDType(t.DType)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", path, corrupt("tensor %q: %v", clip(t.Name), err))
			}
			c.Tensors = append(c.Tensors, Tensor{Name: t.Name, DType: d, Shape: t.Shape, Stride: t.Stride, File: i, Offset: t.Offset, Size: t.Size})
		}
	}
	// Tied tensors have to stand together: see specsOf.
	slices.SortFunc(c.Tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size), cmp.Compare(a.Name, b.Name))
	})
	return c, nil
}

func readPickle(path string) ([]torchfile.Tensor, int64, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	tensors, err := torchfile.Read(f, size)
	return tensors, size, err
}

// pickleFiles names the files of the model, by transformers' order of
// preference: the one file, the shards of the index, whatever else is there if
// that is one.
func pickleFiles(dir string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(dir, pickleName)); err == nil {
		return []string{pickleName}, nil
	}
	path := filepath.Join(dir, pickleIndexName)
	if index, err := readBounded(path); err == nil {
		names, _, err := parseShardIndex(index, ".bin")
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		return names, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for a checkpoint: %w", err)
	}
	var names []string
	for _, e := range entries {
		if isPickle(e.Name()) && e.Name()[0] != '.' {
			names = append(names, e.Name())
		}
	}
	if len(names) != 1 {
		return nil, fileError("read", dir, fmt.Sprintf("%d PyTorch files and no %s that says which are the model's: keep those in a folder of their own", len(names), pickleIndexName))
	}
	return names, nil
}

// gatherViews makes dense tensors of all views. A view that shows its storage
// in another order is put together when it is read, as torch's contiguous()
// does it before transformers writes a tensor.
func (l *local) gatherViews() error {
	views := slices.Clone(l.specs)
	for i := range l.specs {
		s := &l.specs[i]
		n, ok := denseBytes(s.shape, s.dtype)
		if !ok {
			return corrupt("tensor %q: its shape overflows", clip(s.name))
		}
		s.size = n
		if !isDense(s.shape, s.stride) {
			s.stride = denseStride(nil, s.shape)
		}
		if s.tiedTo >= 0 && !sameView(views[i], views[s.tiedTo]) {
			s.tiedTo = -1 // the same bytes, seen in another way
		}
	}
	return nil
}

// gathers says whether a tensor is put together from a view.
func (l *local) gathers(tensor int) bool {
	t := l.from.Tensors[tensor]
	return l.from.Format == pyTorch && !isDense(t.Shape, t.Stride)
}

// gather puts into dst the elements of a view, as from byte off on of the
// dense tensor. Blocks never begin within an element.
func gather(f *os.File, t Tensor, dst []byte, off int64) (err error) {
	page := int64(os.Getpagesize())
	begin := t.Offset / page * page
	memory, err := unix.Mmap(int(f.Fd()), begin, int(t.Offset+t.Size-begin), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("read %s: map %d bytes: %w", f.Name(), t.Size, err)
	}
	defer unix.Munmap(memory)
	// A file that is cut while it is read faults.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("read %s: it was cut short, or cannot be read (%v)", f.Name(), fault)
		}
	}()
	src := memory[t.Offset-begin:]
	size := t.DType.Size()
	// Where in the view the element is that comes next.
	at, source := make([]int64, len(t.Shape)), int64(0)
	rest := off / size
	for i := len(at) - 1; i >= 0; i-- {
		at[i] = rest % t.Shape[i]
		rest /= t.Shape[i]
		source += at[i] * t.Stride[i]
	}
	for ; int64(len(dst)) >= size; dst = dst[size:] {
		copy(dst[:size], src[source*size:(source+1)*size])
		for i := len(at) - 1; i >= 0; i-- {
			at[i]++
			source += t.Stride[i]
			if at[i] < t.Shape[i] {
				break
			}
			source -= at[i] * t.Stride[i]
			at[i] = 0
		}
	}
	return nil
}
