package checkpoint

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector/checkpoint/filetest"
)

func TestSafeTensorsReads(t *testing.T) {
	all := fixtures()
	t.Run("one file", func(t *testing.T) {
		dir := t.TempDir()
		writeSafeTensors(t, filepath.Join(dir, "model.safetensors"), all)
		writeSafeTensors(t, filepath.Join(dir, "other.safetensors"), all) // not the model's
		equalContent(t, content(t, dir, SafeTensors), all)
	})
	t.Run("any names", func(t *testing.T) {
		dir := t.TempDir()
		writeSafeTensors(t, filepath.Join(dir, "b.safetensors"), all[:5])
		writeSafeTensors(t, filepath.Join(dir, "a.safetensors"), all[5:])
		equalContent(t, content(t, dir, SafeTensors), all)
	})
	t.Run("shards of an index", func(t *testing.T) {
		dir := t.TempDir()
		writeSafeTensors(t, filepath.Join(dir, "x-1.safetensors"), all[2:3])
		writeSafeTensors(t, filepath.Join(dir, "x-2.safetensors"), all[6:7])
		writeSafeTensors(t, filepath.Join(dir, "not-the-models.safetensors"), all)
		write(t, filepath.Join(dir, shardIndexName), []byte(`{"metadata":{"total_size":1.5e3,"x":[null,true]},"weight_map":{"empty.too":"x-1.safetensors","large":"x-2.safetensors"}}`))
		equalContent(t, content(t, dir, SafeTensors), []fixture{all[2], all[6]})
	})
	t.Run("links to files, as in the Hub's cache", func(t *testing.T) {
		dir := t.TempDir()
		writeSafeTensors(t, filepath.Join(dir, "blobs", "1234"), all)
		if err := os.Symlink("blobs/1234", filepath.Join(dir, "model.safetensors")); err != nil {
			t.Fatal(err)
		}
		equalContent(t, content(t, dir, SafeTensors), all)
	})
}

// TestSafeTensorsRefuses tries hostile and broken files.
func TestSafeTensorsRefuses(t *testing.T) {
	const entry = `{"dtype":"F16","shape":[2],"data_offsets":[0,4]}`
	for name, test := range map[string]struct {
		header string
		bytes  int
		want   string
	}{
		"not an object":      {`[]`, 0, "not a JSON object"},
		"space first":        {` {}`, 0, "not a JSON object"},
		"nothing":            {``, 0, "not a JSON object"},
		"truncated":          {`{"a":` + entry, 4, `JSON: expected "}"`},
		"duplicate":          {`{"a":` + entry + `,"a":` + entry + `}`, 4, `duplicate name "a"`},
		"duplicate, escaped": {`{"a":` + entry + `,"\u0061":` + entry + `}`, 4, `duplicate name "a"`},
		"duplicate key":      {`{"a":{"dtype":"F16","dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4, "duplicate"},
		"dtype":              {`{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,4]}}`, 4, `unknown dtype "F4"`},
		"no dtype":           {`{"a":{"shape":[2],"data_offsets":[0,4]}}`, 4, "does not have a dtype"},
		"three offsets":      {`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4,5]}}`, 4, "two data_offsets"},
		"past the end":       {`{"a":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}}`, 4, "truncated"},
		"bytes left over":    {`{"a":` + entry + `}`, 5, "its tensors end at byte 4"},
		"shape":              {`{"a":{"dtype":"F16","shape":[3],"data_offsets":[0,4]}}`, 4, "do not fit shape [3]"},
		"shape overflows":    {`{"a":{"dtype":"F16","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0, "do not fit shape"},
		"size overflows":     {`{"a":{"dtype":"F16","shape":[4611686018427387904],"data_offsets":[0,0]}}`, 0, "do not fit shape"},
		"backwards":          {`{"a":{"dtype":"F16","shape":[2],"data_offsets":[4,0]}}`, 4, "do not fit shape"},
		"negative":           {`{"a":{"dtype":"F16","shape":[-2],"data_offsets":[0,4]}}`, 4, "negative"},
		"over 63 bits":       {`{"a":{"dtype":"F16","shape":[2],"data_offsets":[9223372036854775808,4]}}`, 4, "exceeds 63 bits"},
		"fraction":           {`{"a":{"dtype":"F16","shape":[2.0],"data_offsets":[0,4]}}`, 4, "not an integer"},
		"overlap":            {`{"a":` + entry + `,"b":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}}`, 6, `"b" begins at byte 2 and overlaps`},
		"same bytes":         {`{"a":` + entry + `,"b":` + entry + `}`, 4, "overlaps"},
		"gap":                {`{"a":` + entry + `,"b":{"dtype":"F16","shape":[2],"data_offsets":[6,10]}}`, 10, "leaves a gap"},
		"not at the start":   {`{"a":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}`, 8, "leaves a gap"},
		"data after":         {`{"a":` + entry + `} x`, 4, "after its end"},
		"NUL after":          {"{\"a\":" + entry + "}\x00", 4, "NUL after its end"},
		"not UTF-8":          {"{\"\xff\":" + entry + "}", 4, "not UTF-8"},
		"deep":               {`{"__metadata__":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, 0, "nested deeper"},
		"control characters": {"{\"a\n\":" + entry + "}", 4, "control character"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "model.safetensors")
			write(t, path, filetest.SafeTensors(test.header, make([]byte, test.bytes)))
			refused(t, dir, SafeTensors, path, test.want)
		})
	}
	for _, n := range []uint64{1 << 63, math.MaxUint64, 1 << 40, maxIndexBytes + 1, 100} {
		dir := t.TempDir()
		path := filepath.Join(dir, "model.safetensors")
		write(t, path, append(binary.LittleEndian.AppendUint64(nil, n), "{}"...))
		refused(t, dir, SafeTensors, path, "header would have")
	}
	for _, n := range []int{0, 7} {
		dir := t.TempDir()
		path := filepath.Join(dir, "model.safetensors")
		write(t, path, make([]byte, n))
		refused(t, dir, SafeTensors, path, "truncated")
	}
}

// refused checks that Open fails with ErrCorrupt.
func refused(t *testing.T, dir string, f Format, path, want string) {
	t.Helper()
	_, err := Open(dir, f)
	switch {
	case err == nil:
		t.Fatal("Open succeeded")
	case !errors.Is(err, ErrCorrupt):
		t.Errorf("%v: not ErrCorrupt", err)
	case !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n"):
		t.Errorf("%v: want one line with %q and %q", err, path, want)
	}
}

func TestShardsRefused(t *testing.T) {
	all := fixtures()
	index := func(dir, content string) string {
		path := filepath.Join(dir, shardIndexName)
		write(t, path, []byte(content))
		return path
	}
	for name, file := range map[string]string{
		"outside": "../evil.safetensors", "absolute": "/etc/x.safetensors", "below": "a/b.safetensors", "itself": "..", "empty": "", "other kind": "config.json",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := index(dir, `{"weight_map":{"scalar":"`+file+`"}}`)
			refused(t, dir, SafeTensors, path, "is not the name of a .safetensors file")
		})
	}
	t.Run("no weight_map", func(t *testing.T) {
		dir := t.TempDir()
		refused(t, dir, SafeTensors, index(dir, `{}`), "no weight_map")
	})
	t.Run("tensor elsewhere", func(t *testing.T) {
		dir := t.TempDir()
		writeSafeTensors(t, filepath.Join(dir, "a.safetensors"), all[:1])
		path := index(dir, `{"weight_map":{"scalar":"a.safetensors","large":"a.safetensors"}}`)
		refused(t, dir, SafeTensors, path, `"large" is not in a.safetensors`)
	})
	t.Run("in two files", func(t *testing.T) {
		dir := t.TempDir()
		writeSafeTensors(t, filepath.Join(dir, "a.safetensors"), all[:1])
		writeSafeTensors(t, filepath.Join(dir, "b.safetensors"), all[:1])
		refused(t, dir, SafeTensors, filepath.Join(dir, "b.safetensors"), `"scalar" is in a.safetensors too`)
	})
	t.Run("missing shard", func(t *testing.T) {
		dir := t.TempDir()
		index(dir, `{"weight_map":{"scalar":"a.safetensors"}}`)
		if _, err := Open(dir, SafeTensors); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "a.safetensors") {
			t.Error(err)
		}
	})
}

func TestDetect(t *testing.T) {
	for _, test := range []struct {
		files []string
		want  Format
		err   string
	}{
		{[]string{"model.safetensors", "tensor_index.json"}, SafeTensors, ""},
		{[]string{"model.safetensors.index.json"}, SafeTensors, ""},
		{[]string{"tensor_index.json", "tensor.data_0"}, SLLM, ""},
		{[]string{"pytorch_model.bin", "config.json"}, pyTorch, ""},
		{[]string{"training_args.bin", "config.json"}, "", "no .safetensors file, pytorch_model.bin"},
		{[]string{"config.json", ".hidden.safetensors"}, "", "no .safetensors file"},
		{nil, "", "no .safetensors file"},
	} {
		dir := t.TempDir()
		for _, name := range test.files {
			write(t, filepath.Join(dir, name), nil)
		}
		got, err := detect(dir)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%q: %q, %v", test.files, got, err)
		}
	}
}
