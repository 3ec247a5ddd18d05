package loader_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/checkpoint/filetest"
)

// tensor is a tensor of a test's checkpoint.
type tensor = filetest.Tensor

// bytesOf returns a tensor with random bytes.
func bytesOf(name string, d checkpoint.DType, shape ...int64) tensor {
	n := d.Size()
	for _, dim := range shape {
		n *= dim
	}
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(len(name)), byte(n), name[0]}).Read(data) // it never fails
	return tensor{Name: name, DType: d, Shape: shape, Data: data}
}

// checkpoints returns what every loader must load, each as lists of tensors, one
// list per file.
func checkpoints() map[string][][]tensor {
	kinds := []tensor{
		bytesOf("scalar", checkpoint.Float32),
		bytesOf("empty", checkpoint.Float16, 0, 5),
		bytesOf("empty.too", checkpoint.Int64, 3, 0, 1<<40),
	}
	for _, d := range checkpoint.DTypes() {
		kinds = append(kinds, bytesOf("of."+d.String(), d, 5, 3))
	}
	tied := append([]tensor{bytesOf("wte", checkpoint.BFloat16, 301, 77)}, kinds...)
	tied = append(tied, tensor{Name: "lm_head", DType: checkpoint.BFloat16, Shape: []int64{301, 77}, Data: tied[0].Data, Tied: "wte"})

	shards := [][]tensor{
		{bytesOf("a", checkpoint.Float16, 3001), bytesOf("b", checkpoint.UInt8, 1)},
		{bytesOf("c", checkpoint.Float32, 70_001), bytesOf("nothing", checkpoint.Float32, 0)},
		{bytesOf("d", checkpoint.Int8, 4096)},
	}
	return map[string][][]tensor{
		"every dtype, scalars and empty tensors": {kinds},
		"tied tensors":                           {tied},
		"several files":                          shards,
		"a tensor over many chunks":              {{bytesOf("first", checkpoint.UInt8, 3), bytesOf("long", checkpoint.UInt8, 9<<20+13)}},
		"one byte":                               {{bytesOf("byte", checkpoint.UInt8, 1)}},
		"a file that ends with a block":          {{bytesOf("block", checkpoint.UInt8, 4096*17)}},
		"no bytes at all":                        {{bytesOf("nothing", checkpoint.Float32, 0)}},
		"a file without bytes between others":    {{bytesOf("x", checkpoint.UInt8, 5000)}, {bytesOf("nothing", checkpoint.Float32, 0)}, {bytesOf("y", checkpoint.UInt8, 77)}},
	}
}

// write writes a checkpoint to a new folder below parent.
func write(t testing.TB, parent string, f checkpoint.Format, files [][]tensor) string {
	t.Helper()
	dir, err := os.MkdirTemp(parent, "checkpoint-")
	if err != nil {
		t.Fatal(err)
	}
	if f == checkpoint.SLLM {
		filetest.WriteSLLM(t, dir, files)
	} else {
		filetest.WriteSafeTensors(t, dir, files)
	}
	return dir
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

// sparse writes a checkpoint of one file with count tensors of 1 MiB, all zeros in
// a hole that takes no room on the disk, and returns the folder and the file.
func sparse(t testing.TB, f checkpoint.Format, count int) (dir, path string) {
	t.Helper()
	const size = 1 << 20
	dir = t.TempDir()
	index := map[string]any{}
	for i := range count {
		name, at := fmt.Sprintf("tensor.%05d", i), i*size
		if f == checkpoint.SLLM {
			index[name] = []any{at, size, []int{size}, []int{1}, "torch.uint8"}
		} else {
			index[name] = map[string]any{"dtype": "U8", "shape": []int{size}, "data_offsets": []int{at, at + size}}
		}
	}
	b, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	length := int64(count * size)
	if f == checkpoint.SLLM {
		writeFile(t, filepath.Join(dir, "tensor_index.json"), b)
		path = filepath.Join(dir, "tensor.data_0")
		writeFile(t, path, nil)
	} else {
		path = filepath.Join(dir, "model.safetensors")
		b = filetest.SafeTensors(string(b), nil)
		length += int64(len(b))
		writeFile(t, path, b)
	}
	grow(t, path, length)
	return dir, path
}

// grow extends a file to size with zeros.
func grow(t testing.TB, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// left returns the open files and mappings of dir that a load has left behind. A
// store may keep some for a moment after its client has finished.
func left(t testing.TB, dir string) []string {
	t.Helper()
	for range 500 {
		if len(leftNow(t, dir)) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return leftNow(t, dir)
}

func leftNow(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, dir) {
			found = append(found, "descriptor of "+target)
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, dir) {
			found = append(found, "mapping "+strings.TrimSpace(line))
		}
	}
	return found
}
