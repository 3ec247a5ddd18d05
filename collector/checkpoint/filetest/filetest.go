// Package filetest writes checkpoint files for tests. It shares no code with
// package checkpoint, so that a mistake there is not repeated here.
package filetest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// DType is the type of a tensor's elements. checkpoint.DType implements it.
type DType interface {
	SafeTensors() string // as in F16
	Torch() string       // as in torch.float16
}

// Tensor is a tensor of a checkpoint.
type Tensor struct {
	Name  string
	DType DType
	Shape []int64
	Data  []byte
	Tied  string // name of an earlier tensor of the same file with the same bytes
}

// SafeTensors returns a safetensors file: the header's length, the header and the
// data (https://huggingface.co/docs/safetensors).
func SafeTensors(header string, data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return slices.Concat(length, []byte(header), data)
}

// EncodeSafeTensors returns a safetensors file of the tensors, in their order. Tied
// tensors have bytes of their own, since the format can't share them.
func EncodeSafeTensors(tensors []Tensor) []byte {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace
	entries := []string{`"__metadata__":{"format":"pt"}`}
	var data []byte
	for _, x := range tensors {
		begin := len(data)
		data = append(data, x.Data...)
		shape := strings.ReplaceAll(fmt.Sprint(x.Shape), " ", ",")
		entries = append(entries, fmt.Sprintf(`"%s":{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`,
			quote(x.Name), x.DType.SafeTensors(), shape, begin, len(data)))
	}
	return SafeTensors("{"+strings.Join(entries, ",")+"}", data)
}

// WriteSafeTensors writes each list of tensors to a safetensors file in the
// folder.
func WriteSafeTensors(t testing.TB, dir string, files [][]Tensor) {
	t.Helper()
	for i, tensors := range files {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(files))
		write(t, filepath.Join(dir, name), EncodeSafeTensors(tensors))
	}
}

// WriteSLLM writes each list of tensors to a partition of the folder, and their
// index. Tensors begin at multiples of 8 bytes and partitions are padded to 512,
// as ServerlessLLM's store requires.
func WriteSLLM(t testing.TB, dir string, files [][]Tensor) {
	t.Helper()
	index := map[string]any{}
	begin := 0 // of the partition, in all partitions laid end to end
	for i, tensors := range files {
		var data []byte
		offsets := map[string]int{}
		for _, x := range tensors {
			at, tied := offsets[x.Tied]
			if !tied {
				at = begin + len(data)
				data = pad(append(data, x.Data...), 8)
			}
			offsets[x.Name] = at
			index[x.Name] = []any{at, len(x.Data), append([]int64{}, x.Shape...), strides(x.Shape), x.DType.Torch()}
		}
		data = pad(data, 512)
		write(t, filepath.Join(dir, fmt.Sprint("tensor.data_", i)), data)
		begin += len(data)
	}
	b, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "tensor_index.json"), b)
}

func pad(b []byte, multiple int) []byte {
	return append(b, make([]byte, (multiple-len(b)%multiple)%multiple)...)
}

// strides returns the strides of a dense tensor, in elements.
func strides(shape []int64) []int64 {
	list := make([]int64, len(shape))
	for i, step := len(shape)-1, int64(1); i >= 0; i-- {
		list[i] = step
		step *= max(1, shape[i])
	}
	return list
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}
