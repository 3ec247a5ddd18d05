package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// layout is what a checkpoint's files will hold, to the byte, before any is
// written.
type layout struct {
	files []fileLayout
	small map[string][]byte // files written whole: indexes, configuration
	held  []string          // the names of the tensors that can be read back
}

// fileLayout is one file of tensors.
type fileLayout struct {
	name   string
	header []byte
	items  []item // in order; each begins where the one before it, padded, ends
	align  int64  // each item is padded to a multiple of it
	size   int64  // of the whole file, padding at its end counted
}

// bytes is the size of the files of tensors.
func (l layout) bytes() int64 {
	var n int64
	for _, f := range l.files {
		n += f.size
	}
	return n
}

func newLayout(f Format, items []item, o Options) (layout, error) {
	if f == SLLM {
		return layoutSLLM(items, o)
	}
	return layoutSafeTensors(items, o)
}

// Limits of a file of tensors, in bytes: transformers' default for a shard, and
// ServerlessLLM's for a partition.
const (
	defaultShard     = 5_000_000_000
	defaultPartition = 10 << 30
)

// layoutSafeTensors puts the tensors into one file, or into shards named as
// transformers names them. The format has no tied tensors: only the one that
// owns the bytes is kept, as save_pretrained does.
func layoutSafeTensors(items []item, o Options) (layout, error) {
	limit := o.ShardBytes
	if limit == 0 {
		limit = defaultShard
	}
	l := layout{small: map[string][]byte{}}
	shards := [][]item{nil}
	var filled, total int64
	for _, it := range items {
		if it.tiedTo != "" {
			continue
		}
		if !slices.Equal(it.Stride, contiguous(it.Shape)) {
			return l, fmt.Errorf("tensor %q is a view with stride %v, which safetensors can't hold", it.Name, it.Stride)
		}
		if filled > 0 && filled+it.Size > limit {
			shards = append(shards, nil)
			filled = 0
		}
		last := len(shards) - 1
		shards[last] = append(shards[last], it)
		filled += it.Size
		total += it.Size
		l.held = append(l.held, it.Name)
	}
	weights := map[string]string{}
	for i, shard := range shards {
		name := singleFile
		if len(shards) > 1 {
			name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		}
		header, size, err := safeTensorsHeader(shard)
		if err != nil {
			return l, err
		}
		l.files = append(l.files, fileLayout{name: name, header: header, items: shard, align: 1, size: int64(len(header)) + size})
		for _, it := range shard {
			weights[it.Name] = name
		}
	}
	if len(shards) > 1 {
		text, err := jsonFile(map[string]any{"metadata": map[string]int64{"total_size": total}, "weight_map": weights})
		if err != nil {
			return l, fmt.Errorf("write %s: %w", shardIndex, err)
		}
		l.small[shardIndex] = text
	}
	return l, nil
}

// safeTensorsHeader is the length and the JSON, padded with spaces so that the
// data begins on a multiple of eight, and the size of the data.
func safeTensorsHeader(items []item) (header []byte, data int64, err error) {
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int64  `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	entries := map[string]any{metadataKey: map[string]string{"format": "pt"}}
	for _, it := range items {
		shape := it.Shape
		if shape == nil {
			shape = []int64{} // a scalar's shape is [], not null
		}
		entries[it.Name] = entry{dtypes[it.DType].header, shape, [2]int64{data, data + it.Size}}
		data += it.Size
	}
	text, err := json.Marshal(entries)
	if err != nil {
		return nil, 0, fmt.Errorf("write the header: %w", err)
	}
	if pad := -len(text) & 7; pad > 0 {
		text = append(text, bytes.Repeat([]byte{' '}, pad)...)
	}
	if len(text) > maxHeader {
		return nil, 0, fmt.Errorf("write the header: %d bytes are more than the format allows", len(text))
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), data, nil
}

// Alignments of the SLLM format, in bytes: tensors begin on multiples of
// eight; ServerlessLLM's store reads files whose size is a multiple of 512.
const (
	sllmTensorAlign = 8
	sllmFileAlign   = 512
)

// layoutSLLM puts the tensors into partitions; tied ones lie once.
func layoutSLLM(items []item, o Options) (layout, error) {
	limit := o.PartitionBytes
	if limit == 0 {
		limit = defaultPartition
	}
	l := layout{small: map[string][]byte{}}
	files := []fileLayout{{align: sllmTensorAlign}}
	entries := map[string]any{}
	var begin int64 // of the partition at hand, over all
	for _, it := range byTie(items) {
		l.held = append(l.held, it.Name)
		if it.tiedTo != "" {
			owner, ok := entries[it.tiedTo].([]any)
			if !ok {
				return l, fmt.Errorf("tensor %q is tied to %q, which is not there", it.Name, it.tiedTo)
			}
			entries[it.Name] = sllmEntry(it, owner[0].(int64), owner[1].(int64))
			continue
		}
		f := &files[len(files)-1]
		padded := alignUp(it.Size, sllmTensorAlign)
		if f.size > 0 && f.size+padded > limit {
			f.size = alignUp(f.size, sllmFileAlign)
			begin += f.size
			files = append(files, fileLayout{align: sllmTensorAlign})
			f = &files[len(files)-1]
		}
		entries[it.Name] = sllmEntry(it, begin+f.size, it.Size)
		f.items = append(f.items, it)
		f.size += padded
	}
	for i := range files {
		files[i].name = fmt.Sprint(dataPrefix, i)
		files[i].size = alignUp(files[i].size, sllmFileAlign)
	}
	l.files = files
	text, err := json.Marshal(entries)
	if err != nil {
		return l, fmt.Errorf("write %s: %w", indexFile, err)
	}
	l.small[indexFile] = text
	return l, nil
}

func sllmEntry(it item, offset, size int64) []any {
	shape, stride := it.Shape, it.Stride
	if shape == nil {
		shape, stride = []int64{}, []int64{}
	}
	return []any{offset, size, shape, stride, torchPrefix + it.DType.String()}
}

func alignUp(n, align int64) int64 { return (n + align - 1) / align * align }

// withExtras adds the files that go beside the tensors.
func (l layout) withExtras(extras map[string][]byte) layout {
	l.small = maps.Clone(l.small)
	maps.Copy(l.small, extras)
	return l
}
