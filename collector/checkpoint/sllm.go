package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Names of the sllm format. Its index is one JSON object: a tensor's name to
// [offset, size, shape, stride, dtype], where the offset counts bytes over
// the partitions laid end to end.
const (
	sllmIndexName = "tensor_index.json"
	sllmPartition = "tensor.data_" // and a number from 0, with no gap
)

// partitionName is the name of the numbered partition.
func partitionName(i int) string { return sllmPartition + strconv.Itoa(i) }

// openSLLM reads the index in dir and the sizes of the partitions.
func openSLLM(dir string) (*Checkpoint, error) {
	path := filepath.Join(dir, sllmIndexName)
	index, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	files, err := Partitions(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	tensors, err := parseIndex(index, files)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &Checkpoint{Dir: dir, Format: SLLM, Files: files, Tensors: tensors}, nil
}

// Partitions lists the partitions of an sllm checkpoint in its folder, up to
// the first missing number, where every reader stops.
func Partitions(dir fs.FS) ([]File, error) {
	var files []File
	var total int64
	for {
		name := partitionName(len(files))
		info, err := fs.Stat(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, cause(err))
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: %w", name, corrupt("not a regular file"))
		}
		var ok bool
		if total, ok = add(total, info.Size()); !ok {
			return nil, fmt.Errorf("%s: %w", name, corrupt("the partitions' sizes overflow"))
		}
		files = append(files, File{Name: name, Size: info.Size(), Identity: identityOf(info)})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: %w", partitionName(0), fs.ErrNotExist)
	}
	return files, nil
}

// parseIndex reads an index and holds each entry against the partitions.
func parseIndex(index []byte, files []File) ([]Tensor, error) {
	s := &scanner{b: index}
	var tensors []Tensor
	var numbers []int64 // shapes and strides of all tensors, side by side
	s.object(func(name string) {
		var t Tensor
		t, numbers = parseIndexEntry(s, name, numbers)
		tensors = append(tensors, t)
	})
	if err := s.end(); err != nil {
		return nil, err
	}
	// The offsets are still global, and all in file 0.
	slices.SortFunc(tensors, byPlace)
	if err := noPartialOverlap(tensors); err != nil {
		return nil, err
	}
	if err := place(tensors, files); err != nil {
		return nil, err
	}
	return tensors, nil
}

// parseIndexEntry reads one entry. Its offset stays global. Shape and strides
// are appended to numbers, which the tensor points into.
func parseIndexEntry(s *scanner, name string, numbers []int64) (Tensor, []int64) {
	t := Tensor{Name: name}
	var dtype string
	from := len(numbers)
	to := from
	field := 0
	s.array(func() {
		switch field {
		case 0:
			t.Offset = s.natural()
		case 1:
			t.Size = s.natural()
		case 2:
			numbers = s.naturals(numbers)
			to = len(numbers)
		case 3:
			numbers = s.naturals(numbers)
		case 4:
			dtype = s.string()
		default:
			s.skip()
		}
		field++
	})
	if s.err != nil {
		if field < 5 {
			s.err = fmt.Errorf("tensor %q: %w", clip(name), s.err)
		}
		return t, numbers
	}
	t.Shape, t.Stride = numbers[from:to:to], numbers[to:len(numbers):len(numbers)]
	s.err = checkEntry(&t, field, dtype)
	return t, numbers
}

// checkEntry holds an entry against itself.
func checkEntry(t *Tensor, fields int, dtype string) error {
	name := clip(t.Name)
	if fields != 5 {
		return corrupt("tensor %q has %d fields, not offset, size, shape, stride and dtype", name, fields)
	}
	var err error
	if t.DType, err = parseTorch(dtype); err != nil {
		return corrupt("tensor %q: unknown dtype %q", name, clip(dtype))
	}
	if len(t.Shape) != len(t.Stride) {
		return corrupt("tensor %q has %d dimensions and %d strides", name, len(t.Shape), len(t.Stride))
	}
	reach, ok := viewBytes(t.Shape, t.Stride, t.DType)
	if !ok || reach > t.Size {
		return corrupt("tensor %q: shape %s with strides %s of %s reaches past its %d bytes", name, dims(t.Shape), dims(t.Stride), t.DType, t.Size)
	}
	if _, ok := add(t.Offset, t.Size); !ok {
		return corrupt("tensor %q: offset %d and size %d overflow", name, t.Offset, t.Size)
	}
	return nil
}

// noPartialOverlap refuses tensors that share some of their bytes. Sharing
// all of them is how tied tensors are written.
func noPartialOverlap(sorted []Tensor) error {
	var last *Tensor
	for i := range sorted {
		t := &sorted[i]
		if t.Size == 0 {
			continue
		}
		if last != nil && t.Offset < last.Offset+last.Size && !tied(*last, *t) {
			return corrupt("tensors %q and %q overlap at byte %d", clip(last.Name), clip(t.Name), t.Offset)
		}
		last = t
	}
	return nil
}

// place turns global offsets into places within the partitions. The tensors
// are sorted by offset.
func place(tensors []Tensor, files []File) error {
	file := 0
	var begin int64 // of the file, globally
	for i := range tensors {
		t := &tensors[i]
		for file < len(files)-1 && t.Offset >= begin+files[file].Size {
			begin += files[file].Size
			file++
		}
		end := begin + files[file].Size
		switch {
		case t.Offset+t.Size <= end:
		case file == len(files)-1:
			return corrupt("tensor %q lacks %d of its %d bytes: it ends at byte %d, and the partitions end at %d: a partition is missing or cut short, write the checkpoint again",
				clip(t.Name), min(t.Size, t.Offset+t.Size-end), t.Size, t.Offset+t.Size, end)
		default:
			return corrupt("tensor %q crosses from %s into the next partition: one of them has lost bytes, write the checkpoint again", clip(t.Name), files[file].Name)
		}
		t.File = file
		t.Offset -= begin
	}
	return nil
}
