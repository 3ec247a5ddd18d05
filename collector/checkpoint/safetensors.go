package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names and limits of the safetensors format, and of transformers' way of
// spreading it over several files.
const (
	safeTensorsExt  = ".safetensors"
	safeTensorsName = "model.safetensors"
	shardIndexName  = "model.safetensors.index.json"
	metadataKey     = "__metadata__"
	prefixBytes     = 8 // the header's length, little endian

	// maxIndexBytes bounds a header. The safetensors crate refuses more than
	// 100 MB; sllm names no limit, and the same does for it.
	maxIndexBytes = 100_000_000
)

// openSafeTensors reads the headers of every shard in dir.
func openSafeTensors(dir string) (*Checkpoint, error) {
	names, home, err := safeTensorsFiles(dir)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Dir: dir, Format: SafeTensors}
	where := make(map[string]int)
	for i, name := range names {
		path := filepath.Join(dir, name)
		header, size, err := readHeader(path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		c.Files = append(c.Files, File{Name: name, Size: size})
		tensors, err := parseHeader(header, size)
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
	for _, h := range home {
		if i, ok := where[h.tensor]; !ok || names[i] != h.file {
			return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, shardIndexName),
				corrupt("tensor %q is not in %s: fetch the shards and the index again", clip(h.tensor), h.file))
		}
	}
	return c, nil
}

// shard says which file a tensor is in.
type shard struct{ tensor, file string }

// safeTensorsFiles names the files that make up the checkpoint in dir, by
// transformers' order of preference: the one file, the shards of the index,
// whatever else there is. home is what the index says of each tensor.
func safeTensorsFiles(dir string) (names []string, home []shard, err error) {
	if _, err := os.Stat(filepath.Join(dir, safeTensorsName)); err == nil {
		return []string{safeTensorsName}, nil, nil
	}
	path := filepath.Join(dir, shardIndexName)
	index, err := readBounded(path)
	if err == nil {
		names, home, err = parseShardIndex(index, safeTensorsExt)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", path, err)
		}
		return names, home, nil
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
	if len(names) == 0 {
		return nil, nil, fileError("look for a checkpoint", dir, "no .safetensors file there")
	}
	return names, nil, nil
}

// parseShardIndex reads the weight_map of an index: its files, sorted, and
// the file of each tensor.
func parseShardIndex(index []byte, extension string) (names []string, home []shard, err error) {
	s := &scanner{b: index}
	found := false
	s.object(func(key string) {
		if key != "weight_map" {
			s.skip()
			return
		}
		found = true
		s.object(func(tensor string) {
			home = append(home, shard{tensor, s.string()})
		})
	})
	if err := s.end(); err != nil {
		return nil, nil, err
	}
	if !found {
		return nil, nil, corrupt("it has no weight_map")
	}
	seen := make(map[string]struct{})
	for _, h := range home {
		if _, ok := seen[h.file]; ok {
			continue
		}
		if !isFileName(h.file) || !strings.HasSuffix(h.file, extension) {
			return nil, nil, corrupt("weight_map puts tensor %q into %q, which is no %s file of the same folder", clip(h.tensor), clip(h.file), extension)
		}
		seen[h.file] = struct{}{}
		names = append(names, h.file)
	}
	slices.Sort(names)
	return names, home, nil
}

// isFileName says whether name is a plain file name: no way out of the folder.
func isFileName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 &&
		!strings.ContainsAny(name, "/\\\x00")
}

// readHeader reads a file's header, without its length, and the file's size.
func readHeader(path string) (header []byte, size int64, err error) {
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
	header = make([]byte, n)
	if _, err := f.ReadAt(header, prefixBytes); err != nil {
		return nil, 0, readAtError(err, size)
	}
	return header, size, nil
}

// headerBytes reads and bounds the header's length.
func headerBytes(prefix [prefixBytes]byte, size int64) (int64, error) {
	n := binary.LittleEndian.Uint64(prefix[:])
	switch {
	case n > maxIndexBytes:
		return 0, corrupt("its header would be %d bytes, the format allows %d: this is no safetensors file", n, maxIndexBytes)
	case int64(n) > size-prefixBytes:
		return 0, corrupt("its header would be %d bytes, but the file has %d: fetch it again", n, size)
	}
	return int64(n), nil
}

// parseHeader reads the JSON of a header and checks it as the safetensors
// crate does: the tensors lie one after another from the header's end to the
// file's end, with no gap, no overlap and nothing left over.
func parseHeader(header []byte, size int64) ([]Tensor, error) {
	first := prefixBytes + int64(len(header))
	// The crate wants the brace first, so that a file's kind shows by byte 8.
	if len(header) == 0 || header[0] != '{' {
		return nil, corrupt("its header is not a JSON object: this is no safetensors file")
	}
	s := &scanner{b: header}
	var tensors []Tensor
	var numbers []int64 // shapes and strides of all tensors, side by side
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
		if a.Offset != b.Offset {
			return byPlace(a, b)
		}
		return int(min(max(a.Size-b.Size, -1), 1)) // those without bytes first
	})
	var end int64
	for i := range tensors {
		t := &tensors[i]
		if t.Offset != end {
			what := "leaves a gap after"
			if t.Offset < end {
				what = "overlaps"
			}
			return nil, corrupt("tensor %q begins at byte %d and so %s the tensor before it, which ends at %d", clip(t.Name), t.Offset, what, end)
		}
		end = t.Offset + t.Size // both at most the offset that was read
		if end > size-first {
			return nil, corrupt("tensor %q ends at byte %d, but the file has %d for tensors: it is cut short, fetch it again", clip(t.Name), end, size-first)
		}
		t.Offset += first
	}
	if end != size-first {
		return nil, corrupt("its tensors end at byte %d, but the file has %d for them: fetch it again", end, size-first)
	}
	return tensors, nil
}

// parseEntry reads one tensor of a header. Its offset still counts from the
// header's end. The shape and the strides are appended to numbers, which the
// tensor points into.
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
		s.err = corrupt("tensor %q wants a dtype, a shape and two data_offsets", clip(name))
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

// dims prints a shape, at most eight of its dimensions.
func dims(shape []int64) string {
	if len(shape) > 8 {
		return strings.TrimSuffix(fmt.Sprint(shape[:8]), "]") + " …]"
	}
	return fmt.Sprint(shape)
}

// openRegular opens a file that is a file: opening a named pipe would wait
// for its writer.
func openRegular(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, corrupt("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, cause(err)
	}
	return f, info.Size(), nil
}

// readBounded reads a whole file of JSON, if it is not larger than an index
// may be.
func readBounded(path string) ([]byte, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxIndexBytes {
		return nil, corrupt("%d bytes are more than the %d that are read of such a file", size, maxIndexBytes)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, readAtError(err, size)
	}
	return b, nil
}

// cause takes the path off an error that will be given one.
func cause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// readAtError says that a file was shorter than it has to be.
func readAtError(err error, size int64) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corrupt("the file is cut short at %d bytes: fetch it again", size)
	}
	return cause(err)
}
