package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The safetensors format: eight bytes with the header's length (little
// endian), the header, a JSON object from tensor name to dtype, shape and
// data_offsets, then the tensors' bytes, to which the offsets are relative.
// The tensors leave no holes. The format itself caps the header at 100 MB.
const (
	headerLength  = 8
	maxHeader     = 100_000_000
	shardIndex    = "model.safetensors.index.json"
	singleFile    = "model.safetensors"
	metadataKey   = "__metadata__"
	maxShardIndex = 64 << 20
	maxShards     = 100_000
)

func (c *Checkpoint) openSafeTensors() error {
	names, weights, err := safeTensorsFiles(c.Dir)
	if err != nil {
		return err
	}
	where := map[string]string{}
	for i, name := range names {
		tensors, size, err := readHeaderFile(filepath.Join(c.Dir, name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, t := range tensors {
			if other, twice := where[t.Name]; twice {
				return fmt.Errorf("%s: tensor %q is in %s too", name, t.Name, other)
			}
			where[t.Name] = name
			t.File = i
			c.Tensors = append(c.Tensors, t)
		}
		c.Files = append(c.Files, File{Name: name, Size: size})
	}
	for tensor, file := range weights {
		if where[tensor] != file {
			return fmt.Errorf("%s: tensor %q is to be in %s and is not", shardIndex, tensor, file)
		}
	}
	return nil
}

// safeTensorsFiles names the files of a checkpoint: those that the shard index
// names, else model.safetensors, else every .safetensors file there is.
func safeTensorsFiles(dir string) (names []string, weights map[string]string, err error) {
	text, err := readBounded(filepath.Join(dir, shardIndex), maxShardIndex)
	if errors.Is(err, fs.ErrNotExist) {
		names, err = filesLike(dir, "*.safetensors")
		if err != nil {
			return nil, nil, err
		}
		if slices.Contains(names, singleFile) {
			return []string{singleFile}, nil, nil
		}
		if len(names) == 0 {
			return nil, nil, errors.New("no .safetensors file")
		}
		return names, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", shardIndex, err)
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", shardIndex, err)
	}
	for tensor, name := range index.WeightMap {
		if !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) || !strings.HasSuffix(name, ".safetensors") {
			return nil, nil, fmt.Errorf("%s: tensor %q is said to be in %q, which is no .safetensors file of the folder", shardIndex, tensor, name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 || len(names) > maxShards {
		return nil, nil, fmt.Errorf("%s names %d files", shardIndex, len(names))
	}
	return names, index.WeightMap, nil
}

// readBounded reads a whole file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("it is longer than %d bytes", limit)
	}
	return text, nil
}

func readHeaderFile(path string) (tensors []Tensor, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is no regular file")
	}
	tensors, err = readHeader(f, info.Size())
	return tensors, info.Size(), err
}

// readHeader reads the header at the beginning of a file of size bytes and
// holds every entry against that size.
func readHeader(r io.Reader, size int64) ([]Tensor, error) {
	var prefix [headerLength]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, fmt.Errorf("the file has %d bytes, too few for a header's length", size)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader {
		return nil, fmt.Errorf("the header says that it is %d bytes long, and the format allows %d", length, maxHeader)
	}
	if int64(length) > size-headerLength {
		return nil, fmt.Errorf("the header says that it is %d bytes long, and the file has %d", length, size)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	tensors, err := parseHeader(text)
	if err != nil {
		return nil, err
	}
	base := headerLength + int64(length)
	return tensors, place(tensors, base, size)
}

// parseHeader reads the JSON of a header. Offsets are relative to the data
// still; they are ordered and not negative, and each tensor's length is what
// its shape takes.
func parseHeader(text []byte) ([]Tensor, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := expectBrace(d); err != nil {
		return nil, fmt.Errorf("the header is no JSON object: %w", err)
	}
	var tensors []Tensor
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("the header is no JSON object: %w", err)
		}
		name, _ := key.(string) // keys of objects are strings
		if seen[name] {
			return nil, fmt.Errorf("the header names %q twice", name)
		}
		seen[name] = true
		if name == metadataKey {
			var metadata map[string]string
			if err := d.Decode(&metadata); err != nil {
				return nil, fmt.Errorf("the header's %s: %w", metadataKey, err)
			}
			continue
		}
		var entry struct {
			DType   string  `json:"dtype"`
			Shape   []int64 `json:"shape"`
			Offsets []int64 `json:"data_offsets"`
		}
		if err := d.Decode(&entry); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		t := Tensor{Name: name, Shape: entry.Shape}
		if t.DType, err = parseHeaderDType(entry.DType); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if len(entry.Offsets) != 2 || entry.Offsets[0] < 0 || entry.Offsets[1] < entry.Offsets[0] {
			return nil, fmt.Errorf("tensor %q: data_offsets %v are no beginning and end", name, entry.Offsets)
		}
		t.Offset, t.Size = entry.Offsets[0], entry.Offsets[1]-entry.Offsets[0]
		want, err := byteSize(t.Shape, t.DType)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if want != t.Size {
			return nil, fmt.Errorf("tensor %q: shape %v of %v takes %d bytes and its offsets span %d", name, t.Shape, t.DType, want, t.Size)
		}
		t.Stride = contiguous(t.Shape)
		tensors = append(tensors, t)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("the header ends too early: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the header goes on after its JSON object")
	}
	return tensors, nil
}

func expectBrace(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return fmt.Errorf("it begins with %v", token)
	}
	return nil
}

// place makes the offsets those of the file and sees that the tensors follow
// one another to its end.
func place(tensors []Tensor, base, size int64) error {
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size))
	})
	end := int64(0)
	for i := range tensors {
		t := &tensors[i]
		switch {
		case t.Offset < end:
			return fmt.Errorf("tensor %q begins at byte %d of the data, inside tensor %q", t.Name, t.Offset, tensors[i-1].Name)
		case t.Offset > end:
			return fmt.Errorf("%d bytes before tensor %q belong to no tensor", t.Offset-end, t.Name)
		case t.Size > size-base-end:
			return fmt.Errorf("tensor %q ends at byte %d and the file has %d: it was cut short", t.Name, base+t.Offset+t.Size, size)
		}
		end += t.Size
		t.Offset += base
	}
	if base+end != size {
		return fmt.Errorf("the file has %d bytes and its tensors end at %d", size, base+end)
	}
	return nil
}
