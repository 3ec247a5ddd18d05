package checkpoint

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// layout is where every byte of a checkpoint will be.
type layout struct {
	files   []layoutFile
	aliases []int     // tensors that the index names and that lie where another does
	extras  []sidecar // written whole: the index and what goes along
}

// layoutFile is a file of tensor bytes. What neither the head nor a tensor
// covers is zero.
type layoutFile struct {
	name    string
	head    []byte
	tensors []placement // by offset and then size, none overlapping
	size    int64
}

// placement is a source's tensor in a file.
type placement struct {
	tensor       int // its number in the source
	offset, size int64
}

// bytes is what the layout takes on disk, the manifest left out.
func (l layout) bytes() int64 {
	var total int64
	for _, f := range l.files {
		total += f.size
	}
	for _, e := range l.extras {
		total += e.size
	}
	return total
}

// Limits of the formats' files, where Options does not say otherwise.
const (
	// defaultPartitionBytes is where ServerlessLLM's writer begins a new
	// partition.
	defaultPartitionBytes int64 = 10 << 30
	// defaultShardBytes is what transformers 4 calls 5GB in save_pretrained.
	defaultShardBytes int64 = 5_000_000_000
)

// tensorAlign is what a tensor's offset is a multiple of in sllm, and what a
// safetensors header is padded to.
const tensorAlign = 8

// partitionAlign is what a partition's size is a multiple of, so that a
// reader's direct reads may end at its end.
const partitionAlign = 512

// layOutSLLM spreads tensors over partitions of at most limit bytes, except
// where one tensor alone is larger.
func layOutSLLM(specs []spec, limit int64) (layout, error) {
	l := layout{files: []layoutFile{{name: partitionName(0)}}}
	offsets := make([]int64, len(specs)) // global
	var begin int64                      // of the partition, globally
	for i, s := range specs {
		if s.tiedTo >= 0 {
			l.aliases = append(l.aliases, i)
			continue
		}
		f := &l.files[len(l.files)-1]
		if f.size > 0 && f.size+s.size > limit {
			f.size = roundUp(f.size, partitionAlign)
			begin += f.size
			l.files = append(l.files, layoutFile{name: partitionName(len(l.files))})
			f = &l.files[len(l.files)-1]
		}
		f.tensors = append(f.tensors, placement{i, f.size, s.size})
		offsets[i] = begin + f.size
		f.size = roundUp(f.size+s.size, tensorAlign)
	}
	last := &l.files[len(l.files)-1]
	last.size = roundUp(last.size, partitionAlign)

	index := make(map[string]any, len(specs))
	for i, s := range specs {
		at := i
		if s.tiedTo >= 0 {
			at = s.tiedTo
		}
		index[s.name] = []any{offsets[at], s.size, notNil(s.shape), notNil(s.stride), s.dtype.Torch()}
	}
	b, err := json.Marshal(index)
	if err != nil {
		return layout{}, fmt.Errorf("make %s: %w", sllmIndexName, err)
	}
	l.extras = []sidecar{{name: sllmIndexName, size: int64(len(b)), data: b}}
	return l, nil
}

// notNil makes JSON of an empty list [] and not null.
func notNil(list []int64) []int64 {
	if list == nil {
		return []int64{}
	}
	return list
}

// layOutSafeTensors spreads tensors over shards of at most limit bytes, as
// transformers' save_pretrained does. The format has no way to say that two
// tensors are one, so tied names are dropped.
func layOutSafeTensors(specs []spec, limit int64) (layout, error) {
	var shards [][]int
	var total, filled int64
	for i, s := range specs {
		if s.tiedTo >= 0 && sameView(s, specs[s.tiedTo]) {
			continue
		}
		if !isDense(s.shape, s.stride) {
			return layout{}, corrupt("tensor %q has strides %s for shape %s, which safetensors cannot say: collect the sllm format only", clip(s.name), dims(s.stride), dims(s.shape))
		}
		if len(shards) == 0 || filled > 0 && filled+s.size > limit {
			shards = append(shards, nil)
			filled = 0
		}
		shards[len(shards)-1] = append(shards[len(shards)-1], i)
		n, _ := denseBytes(s.shape, s.dtype) // no more than s.size
		filled += n
		total += n
	}
	if len(shards) == 0 {
		shards = [][]int{nil}
	}
	var l layout
	weightMap := map[string]string{}
	for n, shard := range shards {
		name := safeTensorsName
		if len(shards) > 1 {
			name = fmt.Sprintf("model-%05d-of-%05d.safetensors", n+1, len(shards))
		}
		f, err := layOutShard(name, shard, specs)
		if err != nil {
			return layout{}, err
		}
		l.files = append(l.files, f)
		for _, i := range shard {
			weightMap[specs[i].name] = name
		}
	}
	if len(shards) == 1 {
		return l, nil
	}
	b, err := json.MarshalIndent(map[string]any{
		"metadata":   map[string]any{"total_size": total, "total_parameters": distinctParameters(specs)},
		"weight_map": weightMap,
	}, "", "  ")
	if err != nil {
		return layout{}, fmt.Errorf("make %s: %w", shardIndexName, err)
	}
	l.extras = []sidecar{{name: shardIndexName, size: int64(len(b)), data: b}}
	return l, nil
}

// sameView says whether two tensors of the same bytes are the same tensor.
func sameView(a, b spec) bool {
	return a.dtype == b.dtype && slices.Equal(a.shape, b.shape) && slices.Equal(a.stride, b.stride)
}

// headerEntry is a tensor in a safetensors header.
type headerEntry struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// layOutShard makes one file of the given tensors. Those with the largest
// elements come first, so that each is aligned for its type, and among equals
// the order is by name: what the safetensors crate does.
func layOutShard(name string, tensors []int, specs []spec) (layoutFile, error) {
	slices.SortFunc(tensors, func(a, b int) int {
		if x, y := specs[a].dtype, specs[b].dtype; x.Size() != y.Size() {
			return int(y.Size() - x.Size())
		}
		if specs[a].name < specs[b].name {
			return -1
		}
		return 1
	})
	f := layoutFile{name: name}
	header := map[string]any{metadataKey: map[string]string{"format": "pt"}}
	for _, i := range tensors {
		s := specs[i]
		if s.name == metadataKey {
			return layoutFile{}, corrupt("a tensor is named %s, which safetensors keeps for itself", metadataKey)
		}
		// A tensor's storage may be longer than what its shape shows of it, and
		// only the latter can be said here.
		n, _ := denseBytes(s.shape, s.dtype)
		f.tensors = append(f.tensors, placement{i, f.size, n})
		header[s.name] = headerEntry{s.dtype.SafeTensors(), notNil(s.shape), [2]int64{f.size, f.size + n}}
		f.size += n
	}
	b, err := json.Marshal(header)
	if err != nil {
		return layoutFile{}, fmt.Errorf("make the header of %s: %w", name, err)
	}
	if len(b) > maxIndexBytes {
		return layoutFile{}, corrupt("the header of %s would be %d bytes, the format allows %d", name, len(b), maxIndexBytes)
	}
	f.head = binary.LittleEndian.AppendUint64(nil, uint64(roundUp(int64(len(b)), tensorAlign)))
	f.head = append(f.head, b...)
	for len(f.head)%tensorAlign != 0 {
		f.head = append(f.head, ' ')
	}
	first := int64(len(f.head))
	for i := range f.tensors {
		f.tensors[i].offset += first
	}
	f.size += first
	return f, nil
}

// layOutAsIs keeps the files of a safetensors checkpoint as they are, headers
// and all. Its tensors are numbered as c has them.
func layOutAsIs(c *Checkpoint) (layout, error) {
	var l layout
	for i, f := range c.Files {
		head, err := readHead(c.Path(i))
		if err != nil {
			return layout{}, fmt.Errorf("read %s: %w", c.Path(i), err)
		}
		l.files = append(l.files, layoutFile{name: f.Name, head: head, size: f.Size})
	}
	for i, t := range c.Tensors {
		f := &l.files[t.File]
		f.tensors = append(f.tensors, placement{i, t.Offset, t.Size})
	}
	for _, f := range l.files {
		slices.SortFunc(f.tensors, func(a, b placement) int {
			return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.size, b.size))
		})
	}
	if index, ok := copyOf(shardIndexName, filepath.Join(c.Dir, shardIndexName)); ok && c.Files[0].Name != safeTensorsName {
		l.extras = append(l.extras, index)
	}
	return l, nil
}

// readHead reads a safetensors file up to its first tensor.
func readHead(path string) ([]byte, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var prefix [prefixBytes]byte
	if _, err := f.ReadAt(prefix[:], 0); err != nil {
		return nil, readAtError(err, size)
	}
	n, err := headerBytes(prefix, size)
	if err != nil {
		return nil, err
	}
	head := make([]byte, prefixBytes+n)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, size), head); err != nil {
		return nil, readAtError(err, size)
	}
	return head, nil
}

// hasExtra says whether a file of that name goes along.
func (l layout) hasExtra(name string) bool {
	return slices.ContainsFunc(l.extras, func(e sidecar) bool { return e.name == name })
}

// copyOf makes a sidecar of a file, or says that it is not there.
func copyOf(name, path string) (sidecar, bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return sidecar{}, false
	}
	return sidecar{name: name, size: info.Size(), path: path}, true
}
