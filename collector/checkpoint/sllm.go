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

// Names of the sllm format, which ServerlessLLM's checkpoint store writes and
// reads. The tensors' bytes are in partitions. The index is one JSON object that
// maps each tensor's name to [offset, size, shape, stride, dtype]: offset and
// size in bytes, where the offset counts over all partitions end to end, shape
// and stride in elements, and dtype as in torch.float16. Tensors are aligned to
// 8 bytes and do not cross partitions; tied tensors have equal offsets.
const (
	sllmIndexName = "tensor_index.json"
	sllmPartition = "tensor.data_" // and a number, counted from 0 without gaps
)

// partitionName returns the name of partition i.
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
// the first missing number, as every reader does. Without partition 0 the error
// is fs.ErrNotExist.
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

// parseIndex reads an index and checks each entry against the partitions.
func parseIndex(index []byte, files []File) ([]Tensor, error) {
	s := &scanner{b: index}
	var tensors []Tensor
	var numbers []int64 // backs the shapes and strides of all tensors
	s.object(func(name string) {
		var t Tensor
		t, numbers = parseIndexEntry(s, name, numbers)
		tensors = append(tensors, t)
	})
	if err := s.end(); err != nil {
		return nil, err
	}
	// Offsets still count over all partitions, and File is 0.
	slices.SortFunc(tensors, byPosition)
	if err := checkOverlap(tensors); err != nil {
		return nil, err
	}
	if err := place(tensors, files); err != nil {
		return nil, err
	}
	return tensors, nil
}

// parseIndexEntry reads one entry. Its offset counts over all partitions. It
// appends the shape and the strides to numbers, and the tensor refers to them
// there.
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

// checkEntry checks that the fields of an entry agree, and sets its DType.
func checkEntry(t *Tensor, fields int, dtype string) error {
	name := clip(t.Name)
	if fields != 5 {
		return corrupt("tensor %q has %d fields instead of offset, size, shape, stride and dtype", name, fields)
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
		return corrupt("tensor %q: shape %s with strides %s of %s exceeds its %d bytes", name, dims(t.Shape), dims(t.Stride), t.DType, t.Size)
	}
	if _, ok := add(t.Offset, t.Size); !ok {
		return corrupt("tensor %q: offset %d and size %d overflow", name, t.Offset, t.Size)
	}
	return nil
}

// checkOverlap returns an error if tensors share some of their bytes. Tied
// tensors share all of them.
func checkOverlap(sorted []Tensor) error {
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

// place converts offsets over all partitions to a partition and an offset in
// it. The tensors are sorted by offset.
func place(tensors []Tensor, files []File) error {
	file := 0
	var begin int64 // of the partition, counted over all
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
			return corrupt("tensor %q lacks %d of its %d bytes: it ends at byte %d, and the partitions end at byte %d: a partition is missing or truncated, write the checkpoint again",
				clip(t.Name), min(t.Size, t.Offset+t.Size-end), t.Size, t.Offset+t.Size, end)
		default:
			return corrupt("tensor %q crosses from %s into the next partition: one of them is truncated, write the checkpoint again", clip(t.Name), files[file].Name)
		}
		t.File = file
		t.Offset -= begin
	}
	return nil
}
