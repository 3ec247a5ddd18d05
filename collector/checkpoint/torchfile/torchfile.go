// Package torchfile locates the tensors in a file that torch.save wrote.
//
// Such a file is a zip archive of uncompressed entries. data.pkl is a pickle of
// the state dict, whose tensors refer to the other entries, the storages, by
// name. The package interprets the few opcodes and imports that a state dict
// needs and refuses all others, so it never executes anything from the file.
//
// The format is that of torch 1.6 and later (torch/serialization.py and
// torch/csrc/jit/serialization in PyTorch's source). The pickle has protocol 2
// of PEP 307, or a later one up to 5.
package torchfile

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sllmq/sllmq/internal/text"
)

// ErrRefused is wrapped by every error that blames the file's content.
var ErrRefused = errors.New("cannot read a state dict")

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRefused}, args...)...)
}

// Tensor is a view of a storage, which is stored in the file as it was in
// memory.
type Tensor struct {
	Name  string
	DType string // torch's name without its package: float16
	// Shape and Stride are in elements; both are empty for a scalar.
	Shape, Stride []int64
	// Offset is the position of the view's first element in the file, and Size
	// the distance from there to the end of its last element, in bytes.
	Offset, Size int64
}

// Limits far above what any model needs.
const (
	maxPickle  = 256 << 20 // bytes of data.pkl
	maxEntries = 4 << 20   // files in the zip
)

// storage is the position in bytes of an entry that holds elements.
type storage struct{ offset, size int64 }

// Read returns the tensors of the state dict in f, which has size bytes, in the
// order of the dict. It reads no tensor bytes.
func Read(f io.ReaderAt, size int64) ([]Tensor, error) {
	if err := checkMagic(f, size); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return nil, refused("%v: the file is truncated or not a zip archive", err)
	}
	if len(z.File) > maxEntries {
		return nil, refused("the zip archive has %d entries", len(z.File))
	}
	root, pickle, err := findPickle(z)
	if err != nil {
		return nil, err
	}
	if err := checkByteOrder(z, root); err != nil {
		return nil, err
	}
	b, err := readEntry(pickle, maxPickle)
	if err != nil {
		return nil, err
	}
	value, err := unpickle(b)
	if err != nil {
		return nil, err
	}
	storages := map[string]storage{}
	for _, e := range z.File {
		key, ok := strings.CutPrefix(e.Name, root+"/data/")
		if !ok {
			continue
		}
		at, err := e.DataOffset()
		if err != nil {
			return nil, refused("entry %s: %v", clip(e.Name), err)
		}
		n := int64(e.UncompressedSize64)
		if e.Method != zip.Store || e.CompressedSize64 != e.UncompressedSize64 {
			return nil, refused("entry %s is compressed, which torch.save never does", clip(e.Name))
		}
		if n < 0 || at < 0 || at > size || n > size-at {
			return nil, refused("entry %s ends past the file", clip(e.Name))
		}
		if _, twice := storages[key]; twice {
			return nil, refused("entry %s is duplicate", clip(e.Name))
		}
		storages[key] = storage{at, n}
	}
	return tensorsOf(value, storages)
}

// checkMagic recognizes other files that often have such names.
func checkMagic(f io.ReaderAt, size int64) error {
	head := make([]byte, min(size, 64))
	if _, err := f.ReadAt(head, 0); err != nil {
		return fmt.Errorf("read the beginning: %w", err)
	}
	switch {
	case strings.HasPrefix(string(head), "PK\x03\x04"):
		return nil
	case strings.HasPrefix(string(head), "version https://git-lfs"):
		return refused("it is only a git-lfs pointer: run git lfs pull")
	case strings.HasPrefix(string(head), "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"):
		return refused("it has the format of torch before 1.6: load it and torch.save it with a newer torch")
	case strings.HasPrefix(string(head), "\x80"):
		return refused("it is a bare pickle: save the state dict with torch.save of torch 1.6 or later")
	case strings.HasPrefix(string(head), "GGUF"):
		return refused("it is a GGUF file")
	}
	return refused("it is not a zip archive, which torch.save writes since 1.6")
}

// findPickle finds data.pkl and the folder of all entries.
func findPickle(z *zip.Reader) (root string, pickle *zip.File, err error) {
	for _, e := range z.File {
		if path.Base(e.Name) != "data.pkl" || strings.Count(e.Name, "/") != 1 {
			continue
		}
		if pickle != nil {
			return "", nil, refused("it has two pickles, %s and %s", clip(pickle.Name), clip(e.Name))
		}
		root, pickle = path.Dir(e.Name), e
	}
	if pickle == nil {
		return "", nil, refused("the zip archive has no data.pkl")
	}
	if slices.ContainsFunc(z.File, func(e *zip.File) bool { return e.Name == root+"/constants.pkl" }) {
		return "", nil, refused("it is a TorchScript program: save the model's state_dict()")
	}
	return root, pickle, nil
}

func checkByteOrder(z *zip.Reader, root string) error {
	for _, e := range z.File {
		if e.Name != root+"/byteorder" {
			continue
		}
		order, err := readEntry(e, 16)
		if err != nil {
			return err
		}
		if string(order) != "little" {
			return refused("its byte order is %q; only little is supported", order)
		}
	}
	return nil
}

// readEntry reads a whole entry of at most limit bytes and checks its checksum.
func readEntry(e *zip.File, limit int64) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, refused("entry %s: %v", clip(e.Name), err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, refused("entry %s: %v", clip(e.Name), err)
	case int64(len(b)) > limit:
		return nil, refused("entry %s is longer than %d bytes", clip(e.Name), limit)
	}
	return b, nil
}

// clip shortens a name from a file and escapes what cannot be printed.
func clip(s string) string {
	q := strconv.Quote(text.Clip(s, 100))
	return q[1 : len(q)-1]
}
