// Package checkpoint reads, synthesizes, converts, writes, copies and verifies
// the files of models.
//
// A checkpoint is a model's files in one Format: files of tensor bytes, and an
// index that gives each tensor's name, type, shape and position in them. A
// replica is one copy of a checkpoint on disk; benchmarks that must read from
// storage load a different replica each time.
//
// To read a checkpoint, call Open. It reads the index alone and checks it
// against the sizes of the files, so that a loader may trust every offset in
// the result.
//
// To write one, call Resolve to get a Model (a local folder, a download from
// the Hub, or a synthetic model) and Model.Plan to get a Plan: which replicas
// are needed, in which files, and which of them are missing. Plan.Prepare
// writes the missing ones. Each replica appears by one rename, with a manifest
// (sllmq.json) that records what it was made from and the checksum of every
// tensor. Verify reads a replica again and compares those checksums, and List
// finds all replicas below a folder.
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
	// File is an index into Checkpoint.Files. Offset and Size are the tensor's
	// position and length in that file, in bytes.
	File         int
	Offset, Size int64
}

// Dense reports whether the elements are in row-major order without gaps.
func (t Tensor) Dense() bool { return isDense(t.Shape, t.Stride) }

// File is a file of tensor bytes.
type File struct {
	Name string `json:"name"`       // within the checkpoint's folder, without a separator
	Size int64  `json:"size_bytes"` // of the whole file
	// Identity is the identity of an sllm partition when Size was read. It is
	// zero for other files.
	Identity Identity `json:"-"`
}

// Checkpoint is the index of a checkpoint on disk. Every tensor lies within its
// file.
type Checkpoint struct {
	Dir    string
	Format Format
	Files  []File
	// Tensors are sorted by file, offset and name. Tied tensors have the same
	// file, offset and size.
	Tensors []Tensor
}

// Open reads the index of the checkpoint in dir, but no tensor bytes, and
// checks it against the sizes of the files. Errors that blame the content of
// the files wrap ErrCorrupt.
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
	slices.SortFunc(c.Tensors, byPosition)
	return c, nil
}

// byPosition orders tensors by file, offset and name.
func byPosition(a, b Tensor) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Name, b.Name))
}

// Path returns the path of Files[file].
func (c *Checkpoint) Path(file int) string {
	return filepath.Join(c.Dir, c.Files[file].Name)
}

// Bytes returns the number of distinct tensor bytes. Tied tensors count once,
// headers and padding not at all.
func (c *Checkpoint) Bytes() int64 {
	var total int64
	for _, t := range c.Distinct() {
		total += t.Size
	}
	return total
}

// FileBytes returns the total size of the files, including headers and padding.
func (c *Checkpoint) FileBytes() int64 {
	var total int64
	for _, f := range c.Files {
		total += f.Size
	}
	return total
}

// Distinct returns the tensors without those that are empty or tied to an
// earlier one, in the order of Tensors.
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

// tied reports whether two tensors are the same bytes.
func tied(a, b Tensor) bool {
	return a.File == b.File && a.Offset == b.Offset && a.Size == b.Size
}

// Checksum returns the 64-bit xxHash of b with seed 0. Comparing tensors by it
// finds accidents, not forgeries.
func Checksum(b []byte) uint64 { return xxhash.Sum64(b) }
