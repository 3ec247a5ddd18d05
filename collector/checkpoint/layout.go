package checkpoint

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
)

// layout is the position of every byte of a checkpoint before it is written.
type layout struct {
	files   []layoutFile
	aliases []int     // tied tensors that the index names
	extras  []sidecar // written whole: the index and the sidecars
}

// layoutFile is a file of tensor bytes. Bytes outside the head and the tensors
// are zero.
type layoutFile struct {
	name    string
	head    []byte
	tensors []placement // sorted by offset and size, without overlap
	size    int64
}

// placement is a source's tensor in a file.
type placement struct {
	tensor       int // an index into source.tensors
	offset, size int64
}

// bytes returns the size on disk without the manifest.
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

// Defaults of Options.
const (
	// defaultPartitionBytes is the limit of ServerlessLLM's writer.
	defaultPartitionBytes int64 = 10 << 30
	// defaultShardBytes is the "5GB" of save_pretrained in transformers 4.
	defaultShardBytes int64 = 5_000_000_000
)

// tensorAlign is the alignment of a tensor's offset in sllm, and of the end of
// a safetensors header.
const tensorAlign = 8

// partitionAlign is the alignment of a partition's size, so that direct reads
// may stop at its end.
const partitionAlign = 512

// layOutSLLM spreads tensors over partitions of at most limit bytes, unless a
// single tensor is larger. See sllm.go for the format.
func layOutSLLM(specs []spec, limit int64) (layout, error) {
	l := layout{files: []layoutFile{{name: partitionName(0)}}}
	offsets := make([]int64, len(specs)) // over all partitions, end to end
	var begin int64                      // such an offset, of the last partition
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
	l.extras = []sidecar{newSidecar(sllmIndexName, b)}
	return l, nil
}

// notNil returns a list that is encoded as [] rather than null if empty.
func notNil(list []int64) []int64 {
	if list == nil {
		return []int64{}
	}
	return list
}

// layOutSafeTensors spreads tensors over shards of at most limit bytes, as
// transformers' save_pretrained does. The format cannot express tied tensors,
// so of each group it keeps one name.
func layOutSafeTensors(specs []spec, limit int64) (layout, error) {
	var shards [][]int
	var total, filled int64
	for i, s := range specs {
		if s.tiedTo >= 0 && sameView(s, specs[s.tiedTo]) {
			continue
		}
		if !isDense(s.shape, s.stride) {
			return layout{}, corrupt("tensor %q has strides %s for shape %s, which safetensors cannot express: collect only the sllm format", clip(s.name), dims(s.stride), dims(s.shape))
		}
		if len(shards) == 0 || filled > 0 && filled+s.size > limit {
			shards = append(shards, nil)
			filled = 0
		}
		shards[len(shards)-1] = append(shards[len(shards)-1], i)
		n, _ := denseBytes(s.shape, s.dtype) // at most s.size
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
	l.extras = []sidecar{newSidecar(shardIndexName, b)}
	return l, nil
}

// sameView reports whether two tensors of the same bytes are equal.
func sameView(a, b spec) bool {
	return a.dtype == b.dtype && slices.Equal(a.shape, b.shape) && slices.Equal(a.stride, b.stride)
}

// headerEntry is a tensor in a safetensors header.
type headerEntry struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// layOutShard lays out the tensors of one file. As in the safetensors crate,
// those with the largest elements come first, so that each is aligned for its
// type, and tensors of equal element size are sorted by name.
func layOutShard(name string, tensors []int, specs []spec) (layoutFile, error) {
	slices.SortFunc(tensors, func(a, b int) int {
		return cmp.Or(cmp.Compare(specs[b].dtype.Size(), specs[a].dtype.Size()), cmp.Compare(specs[a].name, specs[b].name))
	})
	f := layoutFile{name: name}
	header := map[string]any{metadataKey: map[string]string{"format": "pt"}}
	for _, i := range tensors {
		s := specs[i]
		if s.name == metadataKey {
			return layoutFile{}, corrupt("a tensor is named %s, which safetensors reserves", metadataKey)
		}
		// A tensor's storage may be longer than its shape needs; this format
		// cannot express the rest.
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
		return layoutFile{}, corrupt("the header of %s would have %d bytes; the format allows %d", name, len(b), maxIndexBytes)
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

// layOutAsIs keeps the files of a safetensors checkpoint as they are, including
// their headers. Tensors are numbered as in c.
func layOutAsIs(c *Checkpoint) (layout, error) {
	var l layout
	for i, f := range c.Files {
		head, _, err := readHead(c.Path(i))
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
	if index, ok := fileSidecar(c.Dir, shardIndexName); ok && c.Files[0].Name != safeTensorsName {
		l.extras = append(l.extras, index)
	}
	return l, nil
}

// hasExtra reports whether the layout has an extra file of that name.
func (l layout) hasExtra(name string) bool {
	return slices.ContainsFunc(l.extras, func(e sidecar) bool { return e.name == name })
}
