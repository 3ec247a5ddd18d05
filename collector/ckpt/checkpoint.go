// Package checkpoint knows the formats that checkpoints come in: it reads,
// writes, converts and verifies them, and makes some up.
//
// Reading means reading the index alone and holding it against the files; the
// tensors' bytes are the loaders' business. Every file is taken for hostile:
// lengths are bounded before memory is taken for them, and no offset is used
// before it is known to lie inside its file.
package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Format is how a checkpoint lies on disk.
type Format string

// The formats.
const (
	SafeTensors Format = "safetensors" // one or more .safetensors files
	SLLM        Format = "sllm"        // ServerlessLLM's: tensor.data_N and tensor_index.json
)

// ParseFormat reads a format's name.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case SafeTensors, SLLM:
		return f, nil
	}
	return "", fmt.Errorf("no format %q: use safetensors or sllm", s)
}

// Tensor is one entry of a checkpoint's index.
type Tensor struct {
	Name   string
	DType  DType
	Shape  []int64 // in elements; empty for a scalar
	Stride []int64 // in elements, as long as Shape
	File   int     // its number among the checkpoint's files
	Offset int64   // in the file, in bytes
	Size   int64   // in bytes
}

// File is a file that holds tensors.
type File struct {
	Name string // within the checkpoint's folder
	Size int64  // in bytes
}

// Checkpoint is a model's files in one format, their index read and held
// against their sizes.
type Checkpoint struct {
	Dir     string
	Format  Format
	Files   []File
	Tensors []Tensor // by file, offset and name; tied tensors have one place
}

// Open reads the index of the checkpoint in dir.
func Open(dir string, f Format) (*Checkpoint, error) {
	c := &Checkpoint{Dir: dir, Format: f}
	var err error
	switch f {
	case SafeTensors:
		err = c.openSafeTensors()
	case SLLM:
		err = c.openSLLM()
	default:
		_, err = ParseFormat(string(f))
	}
	if err != nil {
		return nil, fmt.Errorf("open checkpoint %s: %w", dir, err)
	}
	slices.SortFunc(c.Tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size), cmp.Compare(a.Name, b.Name))
	})
	return c, nil
}

// Detect tells which format lies in dir.
func Detect(dir string) (Format, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("folder %s does not exist", dir)
	case err != nil:
		return "", fmt.Errorf("look into %s: %w", dir, err)
	case !info.IsDir():
		return "", fmt.Errorf("%s is a file: name the folder that holds the checkpoint", dir)
	}
	if _, err := os.Stat(filepath.Join(dir, indexFile)); err == nil {
		return SLLM, nil
	}
	names, err := filesLike(dir, "*.safetensors")
	if err != nil {
		return "", err
	}
	if len(names) > 0 {
		return SafeTensors, nil
	}
	for _, pattern := range []string{"*.bin", "*.pt", "*.pth"} {
		if names, err := filesLike(dir, pattern); err == nil && len(names) > 0 {
			return "", fmt.Errorf("folder %s holds PyTorch files (%s), which are not there yet: save the model with save_pretrained(..., safe_serialization=True)", dir, names[0])
		}
	}
	return "", fmt.Errorf("folder %s holds no checkpoint: no .safetensors file and no %s", dir, indexFile)
}

// Path is the whole path of a file by its number.
func (c *Checkpoint) Path(file int) string { return filepath.Join(c.Dir, c.Files[file].Name) }

// Bytes is the size of the tensors; what tied tensors share counts once.
func (c *Checkpoint) Bytes() int64 {
	var n int64
	for i, t := range c.Tensors {
		if !samePlace(c.Tensors, i) {
			n += t.Size
		}
	}
	return n
}

// samePlace says that tensor i lies where the one before it lies.
func samePlace(tensors []Tensor, i int) bool {
	return i > 0 && tensors[i-1].File == tensors[i].File && tensors[i-1].Offset == tensors[i].Offset && tensors[i-1].Size == tensors[i].Size
}

// FileBytes is the size of the files that hold the tensors.
func (c *Checkpoint) FileBytes() int64 {
	var n int64
	for _, f := range c.Files {
		n += f.Size
	}
	return n
}

// Checksum is the digest that tensors are compared by: 64-bit xxHash.
func Checksum(b []byte) uint64 { return xxhash.Sum64(b) }

// filesLike names the regular files of dir that match, sorted. A link counts
// as what it points to: the Hub's cache is made of links.
func filesLike(dir, pattern string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look into %s: %w", dir, err)
	}
	var names []string
	for _, e := range entries {
		match, err := filepath.Match(pattern, e.Name())
		if err != nil {
			return nil, fmt.Errorf("pattern %s: %w", pattern, err)
		}
		if !match {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.Mode().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// maxRank is far above what any tensor has.
const maxRank = 64

// elements is the product of a shape, or an error where it does not fit.
func elements(shape []int64) (int64, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("%d dimensions are more than %d", len(shape), maxRank)
	}
	n := int64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d > 0 && n > math.MaxInt64/d {
			return 0, fmt.Errorf("shape %v is more than 64 bits count", shape)
		}
		n *= d
	}
	return n, nil
}

// byteSize is what a shape takes in a type.
func byteSize(shape []int64, t DType) (int64, error) {
	n, err := elements(shape)
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt64/t.Size() {
		return 0, fmt.Errorf("shape %v of %v is more than 64 bits count", shape, t)
	}
	return n * t.Size(), nil
}

// contiguous is the stride of a tensor laid out row by row.
func contiguous(shape []int64) []int64 {
	stride := make([]int64, len(shape))
	step := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		stride[i] = step
		step *= max(1, shape[i])
	}
	return stride
}
