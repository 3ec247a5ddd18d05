package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ServerlessLLM's format: tensor.data_0, tensor.data_1, … hold the tensors'
// bytes, and tensor_index.json gives each name its
// [offset, size, shape, stride, dtype]. Offsets count over the partitions laid
// end to end; names with one offset and size are tied.
const (
	indexFile     = "tensor_index.json"
	dataPrefix    = "tensor.data_"
	torchPrefix   = "torch."
	maxIndex      = 256 << 20
	maxPartitions = 100_000
)

func (c *Checkpoint) openSLLM() error {
	text, err := readBounded(filepath.Join(c.Dir, indexFile), maxIndex)
	if err != nil {
		return fmt.Errorf("read %s: %w", indexFile, err)
	}
	if c.Files, err = partitions(c.Dir); err != nil {
		return err
	}
	if c.Tensors, err = parseIndex(text); err != nil {
		return fmt.Errorf("%s: %w", indexFile, err)
	}
	if err := placeIn(c.Tensors, c.Files); err != nil {
		return fmt.Errorf("%s: %w", indexFile, err)
	}
	return nil
}

// partitions are the data files up to the first number that is missing.
func partitions(dir string) ([]File, error) {
	var files []File
	for len(files) < maxPartitions {
		name := fmt.Sprint(dataPrefix, len(files))
		info, err := os.Stat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is no regular file", name)
		}
		files = append(files, File{Name: name, Size: info.Size()})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s0 is missing", dataPrefix)
	}
	return files, nil
}

// parseIndex reads tensor_index.json; offsets are over all partitions still.
func parseIndex(text []byte) ([]Tensor, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := expectBrace(d); err != nil {
		return nil, fmt.Errorf("it is no JSON object: %w", err)
	}
	var tensors []Tensor
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("it is no JSON object: %w", err)
		}
		name, _ := key.(string) // keys of objects are strings
		if seen[name] {
			return nil, fmt.Errorf("tensor %q is named twice", name)
		}
		seen[name] = true
		var entry []json.RawMessage
		if err := d.Decode(&entry); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		t, err := parseEntry(name, entry)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		tensors = append(tensors, t)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("it ends too early: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it goes on after its JSON object")
	}
	return tensors, nil
}

func parseEntry(name string, entry []json.RawMessage) (Tensor, error) {
	t := Tensor{Name: name}
	var dtype string
	fields := []any{&t.Offset, &t.Size, &t.Shape, &t.Stride, &dtype}
	if len(entry) != len(fields) {
		return t, fmt.Errorf("%d fields, where [offset, size, shape, stride, dtype] are %d", len(entry), len(fields))
	}
	for i, field := range fields {
		if err := json.Unmarshal(entry[i], field); err != nil {
			return t, fmt.Errorf("field %d of [offset, size, shape, stride, dtype]: %w", i+1, err)
		}
	}
	torch, ok := strings.CutPrefix(dtype, torchPrefix)
	if !ok {
		return t, fmt.Errorf("unknown dtype %q", dtype)
	}
	var err error
	if t.DType, err = ParseDType(torch); err != nil {
		return t, err
	}
	if t.Offset < 0 || t.Size < 0 || t.Offset > math.MaxInt64-t.Size {
		return t, fmt.Errorf("offset %d and size %d are no place", t.Offset, t.Size)
	}
	return t, t.checkView()
}

// checkView sees that no element of a strided view lies past the tensor's
// bytes.
func (t Tensor) checkView() error {
	if len(t.Shape) != len(t.Stride) {
		return fmt.Errorf("shape %v and stride %v differ in length", t.Shape, t.Stride)
	}
	n, err := elements(t.Shape)
	if err != nil || n == 0 {
		return err
	}
	held := t.Size / t.DType.Size()
	last := int64(0) // the number of the view's last element
	for i, d := range t.Shape {
		if t.Stride[i] < 0 {
			return fmt.Errorf("stride %v has a negative step", t.Stride)
		}
		if d > 1 && t.Stride[i] > (math.MaxInt64-last)/(d-1) {
			return fmt.Errorf("shape %v with stride %v is more than 64 bits count", t.Shape, t.Stride)
		}
		last += (d - 1) * t.Stride[i]
	}
	if last >= held {
		return fmt.Errorf("shape %v with stride %v reaches element %d and its %d bytes hold %d of %v", t.Shape, t.Stride, last, t.Size, held, t.DType)
	}
	return nil
}

// placeIn turns offsets over all partitions into places in files, and sees
// that every tensor lies whole in one and none cuts into another.
func placeIn(tensors []Tensor, files []File) error {
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size), cmp.Compare(a.Name, b.Name))
	})
	var total int64
	for _, f := range files {
		if f.Size > math.MaxInt64-total {
			return errors.New("the partitions are more than 64 bits count")
		}
		total += f.Size
	}
	file, begin := 0, int64(0)            // of the partition at hand
	end, last := int64(0), (*Tensor)(nil) // of the tensors so far
	for i := range tensors {
		t := &tensors[i]
		if t.Offset+t.Size > total {
			return fmt.Errorf("tensor %q ends at byte %d and the partitions have %d: %d of its %d bytes are missing",
				t.Name, t.Offset+t.Size, total, min(t.Size, t.Offset+t.Size-total), t.Size)
		}
		tied := last != nil && t.Offset == last.Offset && t.Size == last.Size
		if t.Size > 0 && !tied {
			if t.Offset < end {
				return fmt.Errorf("tensor %q begins at byte %d, inside tensor %q", t.Name, t.Offset, last.Name)
			}
			last, end = t, t.Offset+t.Size
		}
		for file < len(files)-1 && t.Offset >= begin+files[file].Size {
			begin += files[file].Size
			file++
		}
		if t.Offset+t.Size > begin+files[file].Size {
			return fmt.Errorf("tensor %q begins in %s and ends in another partition", t.Name, files[file].Name)
		}
	}
	// Places are changed only when all are right: the loop above compares
	// whole offsets.
	file, begin = 0, 0
	for i := range tensors {
		t := &tensors[i]
		for file < len(files)-1 && t.Offset >= begin+files[file].Size {
			begin += files[file].Size
			file++
		}
		t.File, t.Offset = file, t.Offset-begin
	}
	return nil
}
