package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/checkpoint/torchfile"
)

// Names that transformers gives to files of torch.save.
const (
	pickleName      = "pytorch_model.bin"
	pickleIndexName = "pytorch_model.bin.index.json"
)

// isPickle reports whether a file of that name usually holds weights that
// torch.save wrote. It excludes what trainers save beside them.
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
	// specsOf needs tied tensors to be neighbours.
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

// pickleFiles returns the names of the model's files, in transformers' order of
// preference: the single file, the shards of the index, or the only other file.
func pickleFiles(dir string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(dir, pickleName)); err == nil {
		return []string{pickleName}, nil
	}
	path := filepath.Join(dir, pickleIndexName)
	index, err := readBounded(path)
	if err == nil {
		names, _, err := parseShardIndex(index, ".bin")
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		return names, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
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
		return nil, fileError("read", dir, fmt.Sprintf("it has %d PyTorch files but no %s to tell which are the model's: move those to their own folder", len(names), pickleIndexName))
	}
	return names, nil
}

// gatherViews makes all tensors dense. A view that shows its storage in another
// order is gathered when it is read, as transformers calls contiguous() before
// it writes a tensor.
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
			s.tiedTo = -1 // another view of the same bytes
		}
	}
	return nil
}

// gathers reports whether a tensor must be gathered from a view.
func (l *local) gathers(tensor int) bool {
	t := l.from.Tensors[tensor]
	return l.from.Format == pyTorch && !isDense(t.Shape, t.Stride)
}

// gather copies elements of a view to dst, starting with the one at byte off of
// the dense tensor, which is never within an element.
func gather(f *os.File, t Tensor, dst []byte, off int64) (err error) {
	page := int64(os.Getpagesize())
	begin := t.Offset / page * page
	memory, err := unix.Mmap(int(f.Fd()), begin, int(t.Offset+t.Size-begin), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("read %s: map %d bytes: %w", f.Name(), t.Size, err)
	}
	defer unix.Munmap(memory)
	// Reading a mapped file faults if the file was truncated.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("read %s: it was truncated or cannot be read (%v)", f.Name(), fault)
		}
	}()
	src := memory[t.Offset-begin:]
	size := t.DType.Size()
	// The next element: its index in each dimension, and its offset in src.
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
