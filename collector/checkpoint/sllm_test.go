package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSLLMReads(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tensor.data_0"), make([]byte, 32))
	write(t, filepath.Join(dir, "tensor.data_1"), make([]byte, 512))
	write(t, filepath.Join(dir, "tensor.data_3"), make([]byte, 512)) // after a gap, so not part of it
	write(t, filepath.Join(dir, sllmIndexName), []byte(`{
		"b": [0, 8, [2, 2], [2, 1], "torch.float16"],
		"a": [0, 8, [2, 2], [1, 2], "torch.float16"],
		"second": [32, 4, [], [], "torch.float32"],
		"end": [544, 0, [0], [1], "torch.int64"],
		"none": [16, 0, [0, 9], [9, 1], "torch.int8"],
		"expanded": [8, 2, [7], [0], "torch.bfloat16"]
	}`))
	c, err := Open(dir, SLLM)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Files) != 2 || c.FileBytes() != 544 || c.Bytes() != 8+4+2 {
		t.Errorf("files %v, %d bytes, %d of them tensors", c.Files, c.FileBytes(), c.Bytes())
	}
	var order []string
	for _, tensor := range c.Tensors {
		order = append(order, tensor.Name)
		if tensor.Name == "second" && (tensor.File != 1 || tensor.Offset != 0) {
			t.Errorf("%+v", tensor)
		}
		if tensor.Name == "end" && (tensor.File != 1 || tensor.Offset != 512) {
			t.Errorf("%+v", tensor)
		}
	}
	if got := strings.Join(order, " "); got != "a b expanded none second end" {
		t.Errorf("order %s", got)
	}
}

// TestSLLMRefuses tries hostile and broken indexes over partitions of 32 and 64
// bytes.
func TestSLLMRefuses(t *testing.T) {
	for name, test := range map[string]struct{ entries, want string }{
		"past the end":        {`"a":[88,16,[8],[1],"torch.float16"]`, `tensor "a" lacks 8 of its 16 bytes`},
		"far past the end":    {`"a":[9223372036854775800,4,[2],[1],"torch.float16"]`, "lacks 4 of its 4 bytes"},
		"crosses":             {`"a":[24,16,[8],[1],"torch.float16"]`, `"a" crosses from tensor.data_0`},
		"overlap":             {`"a":[0,8,[4],[1],"torch.float16"],"b":[4,8,[4],[1],"torch.float16"]`, `"a" and "b" overlap at byte 4`},
		"alias of a part":     {`"a":[0,8,[4],[1],"torch.float16"],"b":[0,4,[2],[1],"torch.float16"]`, "overlap at byte 0"},
		"overlap past empty":  {`"a":[0,8,[4],[1],"torch.float16"],"b":[4,0,[0],[1],"torch.int8"],"c":[6,2,[1],[1],"torch.float16"]`, `"a" and "c" overlap`},
		"offset overflows":    {`"a":[9223372036854775807,8,[4],[1],"torch.float16"]`, "overflow"},
		"negative offset":     {`"a":[-8,8,[4],[1],"torch.float16"]`, "negative"},
		"negative stride":     {`"a":[0,8,[4],[-1],"torch.float16"]`, "negative"},
		"over 63 bits":        {`"a":[18446744073709551616,8,[4],[1],"torch.float16"]`, "exceeds 63 bits"},
		"view past its size":  {`"a":[0,8,[4],[2],"torch.float16"]`, "exceeds its 8 bytes"},
		"view overflows":      {`"a":[0,8,[4611686018427387904,2],[4,9223372036854775807],"torch.float16"]`, "exceeds its"},
		"dtype":               {`"a":[0,8,[4],[1],"torch.quint4x2"]`, `unknown dtype "torch.quint4x2"`},
		"safetensors dtype":   {`"a":[0,8,[4],[1],"F16"]`, `unknown dtype "F16"`},
		"ranks":               {`"a":[0,8,[4],[],"torch.float16"]`, "1 dimensions and 0 strides"},
		"four fields":         {`"a":[0,8,[4],[1]]`, "has 4 fields"},
		"six fields":          {`"a":[0,8,[4],[1],"torch.float16",{"x":[1,2]}]`, "has 6 fields"},
		"not an array":        {`"a":{}`, `JSON: expected "["`},
		"string for a number": {`"a":["0",8,[4],[1],"torch.float16"]`, "expected a number"},
		"duplicate":           {`"a":[0,8,[4],[1],"torch.float16"],"a":[8,8,[4],[1],"torch.float16"]`, "duplicate"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "tensor.data_0"), make([]byte, 32))
			write(t, filepath.Join(dir, "tensor.data_1"), make([]byte, 64))
			path := filepath.Join(dir, sllmIndexName)
			write(t, path, []byte("{"+test.entries+"}"))
			refused(t, dir, SLLM, path, test.want)
		})
	}
	t.Run("no partition", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, sllmIndexName), []byte("{}"))
		if _, err := Open(dir, SLLM); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
	t.Run("folder instead of a partition", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, sllmIndexName), []byte("{}"))
		if err := os.Mkdir(filepath.Join(dir, "tensor.data_0"), 0o777); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, SLLM, "tensor.data_0", "not a regular file")
	})
}
