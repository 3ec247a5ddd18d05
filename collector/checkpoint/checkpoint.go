// Package checkpoint knows a model's files: it reads, makes up, writes,
// copies and verifies them in both formats.
//
// Reading is Open: the index alone, held against the sizes of the files, so
// that a loader may trust every offset it is given. Writing is a Model, whose
// Plan says what would be written and whose Prepare writes it, each replica
// put in place by one rename.
package checkpoint

import (
	"cmp"
	"path/filepath"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Tensor is one named tensor of a checkpoint.
type Tensor struct {
	Name  string
	DType DType
	// Shape and Stride are in elements; both are empty for a scalar.
	Shape, Stride []int64
	// File is the number of the file in Checkpoint.Files, Offset where the
	// tensor begins in that file, and Size how long it is there, in bytes.
	File         int
	Offset, Size int64
}

// Dense says whether the elements lie in row-major order without gaps.
func (t Tensor) Dense() bool { return isDense(t.Shape, t.Stride) }

// File is a file that holds tensor bytes.
type File struct {
	Name string `json:"name"`       // in the checkpoint's folder, no separator in it
	Size int64  `json:"size_bytes"` // of the whole file
	// Identity is an sllm partition's when its size was looked at; zero of other
	// files.
	Identity Identity `json:"-"`
}

// Checkpoint is the index of a checkpoint on disk. Every tensor of it lies
// within its file.
type Checkpoint struct {
	Dir    string
	Format Format
	Files  []File
	// Tensors are in the order of file, offset and name. Tied tensors have the
	// same file, offset and size.
	Tensors []Tensor
}

// Open reads the index of the checkpoint in dir, no tensor bytes, and holds
// it against the sizes of the files.
func Open(dir string, f Format) (*Checkpoint, error) {
	var c *Checkpoint
	var err error
	switch f {
	case SafeTensors:
		c, err = openSafeTensors(dir)
	case SLLM:
		c, err = openSLLM(dir)
	default:
		_, err = ParseFormat(string(f))
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(c.Tensors, byPlace)
	return c, nil
}

// byPlace orders tensors by file, offset and name.
func byPlace(a, b Tensor) int {
	if n := cmp.Compare(a.File, b.File); n != 0 {
		return n
	}
	if n := cmp.Compare(a.Offset, b.Offset); n != 0 {
		return n
	}
	return cmp.Compare(a.Name, b.Name)
}

// Path is where the numbered file lies.
func (c *Checkpoint) Path(file int) string {
	return filepath.Join(c.Dir, c.Files[file].Name)
}

// Bytes is how many distinct tensor bytes there are: tied tensors count once,
// and headers and padding not at all.
func (c *Checkpoint) Bytes() int64 {
	var total int64
	for _, t := range c.Distinct() {
		total += t.Size
	}
	return total
}

// FileBytes is how large the files are, headers and padding included.
func (c *Checkpoint) FileBytes() int64 {
	var total int64
	for _, f := range c.Files {
		total += f.Size
	}
	return total
}

// Distinct is the tensors without those that are tied to an earlier one, nor
// those with no bytes at all.
func (c *Checkpoint) Distinct() []Tensor {
	distinct := make([]Tensor, 0, len(c.Tensors))
	for _, t := range c.Tensors {
		if t.Size == 0 {
			continue
		}
		if n := len(distinct); n > 0 && tied(distinct[n-1], t) {
			continue
		}
		distinct = append(distinct, t)
	}
	return distinct
}

// tied says whether two tensors are the same bytes.
func tied(a, b Tensor) bool {
	return a.File == b.File && a.Offset == b.Offset && a.Size == b.Size
}

// Checksum is the 64-bit xxHash of b with seed 0, which tensors are compared
// by. It finds accidents, not forgeries.
func Checksum(b []byte) uint64 { return xxhash.Sum64(b) }
