package checkpoint

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names and limits of the safetensors format, and of the index with which
// transformers spreads a checkpoint over several files.
//
// A safetensors file is a header's length (8 bytes, little-endian), the header,
// and the tensors' bytes without gaps. The header is a JSON object that maps
// each tensor's name to its dtype, its shape and its data_offsets, the range of
// its bytes counted from the end of the header. Source:
// https://github.com/huggingface/safetensors#format.
const (
	safeTensorsExt  = ".safetensors"
	safeTensorsName = "model.safetensors"
	shardIndexName  = "model.safetensors.index.json"
	metadataKey     = "__metadata__"
	prefixBytes     = 8 // of the header's length

	// maxIndexBytes bounds a header. The safetensors crate allows 100 MB. sllm
	// has no limit of its own, so the same bound applies to its index.
	maxIndexBytes = 100_000_000
)

// openSafeTensors reads the header of every shard in dir.
func openSafeTensors(dir string) (*Checkpoint, error) {
	names, weightMap, err := safeTensorsFiles(dir)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Dir: dir, Format: SafeTensors}
	where := make(map[string]int)
	for i, name := range names {
		path := filepath.Join(dir, name)
		head, size, err := readHead(path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		c.Files = append(c.Files, File{Name: name, Size: size})
		tensors, err := parseHeader(head[prefixBytes:], size)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		for _, t := range tensors {
			if first, twice := where[t.Name]; twice {
				return nil, fmt.Errorf("read %s: %w", path,
					corrupt("tensor %q is in %s too: keep one of them", clip(t.Name), names[first]))
			}
			where[t.Name] = i
			t.File = i
			c.Tensors = append(c.Tensors, t)
		}
	}
	for _, m := range weightMap {
		if i, ok := where[m.tensor]; !ok || names[i] != m.file {
			return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, shardIndexName),
				corrupt("tensor %q is not in %s: download the shards and the index again", clip(m.tensor), m.file))
		}
	}
	return c, nil
}

// mapping is an entry of an index's weight_map.
type mapping struct{ tensor, file string }

// safeTensorsFiles returns the names of the checkpoint's files in dir, in
// transformers' order of preference: the single file, the shards of the index,
// or all other files
// that are not extra. weightMap is nil if there is no index.
func safeTensorsFiles(dir string) (names []string, weightMap []mapping, err error) {
	if _, err := os.Stat(filepath.Join(dir, safeTensorsName)); err == nil {
		return []string{safeTensorsName}, nil, nil
	}
	path := filepath.Join(dir, shardIndexName)
	index, err := readBounded(path)
	if err == nil {
		names, weightMap, err = parseShardIndex(index, safeTensorsExt)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", path, err)
		}
		return names, weightMap, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("look for a checkpoint: %w", err)
	}
	for _, e := range entries { // sorted by name
		if strings.HasSuffix(e.Name(), safeTensorsExt) && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	if model := slices.DeleteFunc(slices.Clone(names), isExtra); len(model) > 0 {
		names = model
	}
	if len(names) == 0 {
		return nil, nil, fileError("look for a checkpoint", dir, "it has no .safetensors file")
	}
	return names, nil, nil
}

// isExtra reports whether a file of that name usually lies beside a model's
// files: the same weights under the names of Mistral's own code, or an adapter.
func isExtra(name string) bool {
	return strings.HasPrefix(name, "consolidated") || strings.HasPrefix(name, "adapter_")
}

// parseShardIndex reads the weight_map of an index: the sorted names of its
// files, and the file of each tensor. Files must have the given extension.
func parseShardIndex(index []byte, extension string) (names []string, weightMap []mapping, err error) {
	s := &scanner{b: index}
	found := false
	s.object(func(key string) {
		if key != "weight_map" {
			s.skip()
			return
		}
		found = true
		s.object(func(tensor string) {
			weightMap = append(weightMap, mapping{tensor, s.string()})
		})
	})
	if err := s.end(); err != nil {
		return nil, nil, err
	}
	if !found {
		return nil, nil, corrupt("it has no weight_map")
	}
	seen := make(map[string]struct{})
	for _, m := range weightMap {
		if _, ok := seen[m.file]; ok {
			continue
		}
		if !isFileName(m.file) || !strings.HasSuffix(m.file, extension) {
			return nil, nil, corrupt("weight_map puts tensor %q into %q, which is not the name of a %s file", clip(m.tensor), clip(m.file), extension)
		}
		seen[m.file] = struct{}{}
		names = append(names, m.file)
	}
	slices.Sort(names)
	return names, weightMap, nil
}

// isFileName reports whether name is a plain file name, which cannot lead out
// of a folder.
func isFileName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 &&
		!strings.ContainsAny(name, "/\\\x00")
}

// readHead reads a file up to its first tensor, that is the header's length and
// the header, and returns the file's size too.
func readHead(path string) (head []byte, size int64, err error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	var prefix [prefixBytes]byte
	if _, err := f.ReadAt(prefix[:], 0); err != nil {
		return nil, 0, readAtError(err, size)
	}
	n, err := headerBytes(prefix, size)
	if err != nil {
		return nil, 0, err
	}
	head = make([]byte, prefixBytes+n)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, 0, readAtError(err, size)
	}
	return head, size, nil
}

// headerBytes decodes and bounds the header's length.
func headerBytes(prefix [prefixBytes]byte, size int64) (int64, error) {
	n := binary.LittleEndian.Uint64(prefix[:])
	switch {
	case n > maxIndexBytes:
		return 0, corrupt("its header would have %d bytes, and the format allows %d: it is not a safetensors file", n, maxIndexBytes)
	case int64(n) > size-prefixBytes:
		return 0, corrupt("its header would have %d bytes, but the file has %d: download it again", n, size)
	}
	return int64(n), nil
}

// parseHeader reads the JSON of a header and checks it as the safetensors crate
// does: the tensors cover the bytes from the header's end to the file's end
// without gap or overlap. size is the file's.
func parseHeader(header []byte, size int64) ([]Tensor, error) {
	first := prefixBytes + int64(len(header))
	// The crate requires a leading brace, so that byte 8 shows a file's type.
	if len(header) == 0 || header[0] != '{' {
		return nil, corrupt("its header is not a JSON object: it is not a safetensors file")
	}
	s := &scanner{b: header}
	var tensors []Tensor
	var numbers []int64 // backs the shapes and strides of all tensors
	s.object(func(name string) {
		if name == metadataKey {
			s.skip()
			return
		}
		var t Tensor
		t, numbers = parseEntry(s, name, numbers)
		tensors = append(tensors, t)
	})
	if err := s.end(); err != nil {
		return nil, err
	}
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size)) // empty ones first
	})
	var end int64
	for i := range tensors {
		t := &tensors[i]
		if t.Offset != end {
			fault := "leaves a gap after"
			if t.Offset < end {
				fault = "overlaps"
			}
			return nil, corrupt("tensor %q begins at byte %d and %s the previous tensor, which ends at byte %d", clip(t.Name), t.Offset, fault, end)
		}
		end = t.Offset + t.Size // the second of its data_offsets, so it cannot overflow
		if end > size-first {
			return nil, corrupt("tensor %q ends at byte %d, but the file has %d bytes for tensors: it is truncated, download it again", clip(t.Name), end, size-first)
		}
		t.Offset += first
	}
	if end != size-first {
		return nil, corrupt("its tensors end at byte %d, but the file has %d bytes for them: download it again", end, size-first)
	}
	return tensors, nil
}

// parseEntry reads one tensor of a header. Its offset counts from the header's
// end. It appends the shape and the strides to numbers, and the tensor refers
// to them there.
func parseEntry(s *scanner, name string, numbers []int64) (Tensor, []int64) {
	t := Tensor{Name: name}
	var dtype string
	var span [2]int64
	var ends, fields int
	from := len(numbers)
	s.object(func(key string) {
		switch key {
		case "dtype":
			dtype = s.string()
			fields++
		case "shape":
			numbers = s.naturals(numbers)
			fields++
		case "data_offsets":
			s.array(func() {
				n := s.natural()
				if ends < len(span) {
					span[ends] = n
				}
				ends++
			})
			fields++
		default:
			s.skip()
		}
	})
	if s.err != nil {
		return t, numbers
	}
	to := len(numbers)
	t.Shape = numbers[from:to:to]
	if fields != 3 || ends != 2 {
		s.err = corrupt("tensor %q does not have a dtype, a shape and two data_offsets", clip(name))
		return t, numbers
	}
	var err error
	if t.DType, err = parseSafeTensors(dtype); err != nil {
		s.err = corrupt("tensor %q: unknown dtype %q", clip(name), clip(dtype))
		return t, numbers
	}
	want, ok := denseBytes(t.Shape, t.DType)
	if !ok || span[1] < span[0] || span[1]-span[0] != want {
		s.err = corrupt("tensor %q: data_offsets %v do not fit shape %s of %s", clip(name), span, dims(t.Shape), t.DType)
		return t, numbers
	}
	t.Offset, t.Size = span[0], want
	numbers = denseStride(numbers, t.Shape)
	t.Stride = numbers[to:len(numbers):len(numbers)]
	return t, numbers
}
