// Package torchfile reads the tensors' places from a file that torch.save
// wrote: a zip of stored entries, one of which is a pickle that says what the
// others are. Nothing in it is ever executed. The format is that of torch 1.6
// and later (torch/csrc/jit/serialization in PyTorch's source); the state
// dict's pickle is PEP 307's protocol 2.
package torchfile

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// ErrRefused is wrapped by every error that blames the file's content.
var ErrRefused = errors.New("not a state dict that can be read")

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRefused}, args...)...)
}

// Tensor is a view of a storage that lies in the file as it is in memory.
type Tensor struct {
	Name  string
	DType string // torch's name without its package: float16
	// Shape and Stride are in elements; both are empty for a scalar.
	Shape, Stride []int64
	// Offset is where the view's first element lies in the file, and Size how
	// far the view reaches from there, in bytes.
	Offset, Size int64
}

// Limits that no checkpoint of a model comes near.
const (
	maxPickle  = 256 << 20 // bytes of data.pkl
	maxEntries = 4 << 20   // files in the zip
)

// storage is an entry of the zip that holds elements.
type storage struct{ offset, size int64 }

// Read reads the places of the state dict's tensors, in the order of the dict.
// The file is left open to whoever opened it.
func Read(f io.ReaderAt, size int64) ([]Tensor, error) {
	if err := checkMagic(f, size); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return nil, refused("%v: the file is cut short or is no zip", err)
	}
	if len(z.File) > maxEntries {
		return nil, refused("%d files in the zip", len(z.File))
	}
	root, pickle, err := findPickle(z)
	if err != nil {
		return nil, err
	}
	if err := checkByteOrder(z, root); err != nil {
		return nil, err
	}
	text, err := readEntry(pickle, maxPickle)
	if err != nil {
		return nil, err
	}
	value, err := unpickle(text)
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
			return nil, refused("entry %s is compressed, which torch never does", clip(e.Name))
		}
		if n < 0 || at < 0 || at > size || n > size-at {
			return nil, refused("entry %s ends past the file", clip(e.Name))
		}
		if _, twice := storages[key]; twice {
			return nil, refused("entry %s is there twice", clip(e.Name))
		}
		storages[key] = storage{at, n}
	}
	return tensorsOf(value, storages)
}

// checkMagic tells what else a file of that name often is.
func checkMagic(f io.ReaderAt, size int64) error {
	head := make([]byte, min(size, 64))
	if _, err := f.ReadAt(head, 0); err != nil {
		return fmt.Errorf("read the beginning: %w", err)
	}
	switch {
	case strings.HasPrefix(string(head), "PK\x03\x04"):
		return nil
	case strings.HasPrefix(string(head), "version https://git-lfs"):
		return refused("it is a git-lfs pointer and not the file: run git lfs pull")
	case strings.HasPrefix(string(head), "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"):
		return refused("it was written in the format of torch before 1.6: load it there and torch.save it with a newer one")
	case strings.HasPrefix(string(head), "\x80"):
		return refused("it is a bare pickle and no zip: save the state dict with torch.save of torch 1.6 or later")
	case strings.HasPrefix(string(head), "GGUF"):
		return refused("it is a GGUF file")
	}
	return refused("it is no zip, as torch.save writes since 1.6")
}

// findPickle finds data.pkl and the folder that all entries are in.
func findPickle(z *zip.Reader) (root string, pickle *zip.File, err error) {
	for _, e := range z.File {
		if path.Base(e.Name) != "data.pkl" || strings.Count(e.Name, "/") != 1 {
			continue
		}
		if pickle != nil {
			return "", nil, refused("there are two pickles, %s and %s", clip(pickle.Name), clip(e.Name))
		}
		root, pickle = path.Dir(e.Name), e
	}
	if pickle == nil {
		return "", nil, refused("the zip has no data.pkl")
	}
	if slices.ContainsFunc(z.File, func(e *zip.File) bool { return e.Name == root+"/constants.pkl" }) {
		return "", nil, refused("it is a TorchScript program and no state dict")
	}
	return root, pickle, nil
}

func checkByteOrder(z *zip.Reader, root string) error {
	for _, e := range z.File {
		if e.Name != root+"/byteorder" {
			continue
		}
		text, err := readEntry(e, 16)
		if err != nil {
			return err
		}
		if string(text) != "little" {
			return refused("its byte order is %q", text)
		}
	}
	return nil
}

// readEntry reads a small entry whole; its checksum is checked.
func readEntry(e *zip.File, limit int64) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, refused("entry %s: %v", clip(e.Name), err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, refused("entry %s: %v", clip(e.Name), err)
	case int64(len(text)) > limit:
		return nil, refused("entry %s is longer than %d bytes", clip(e.Name), limit)
	}
	return text, nil
}

// clip shortens a name that comes from a file, and shows what is not to be
// printed as it is.
func clip(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	q := fmt.Sprintf("%q", s)
	return q[1 : len(q)-1]
}
