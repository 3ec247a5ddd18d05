package hub

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	const shards = `{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}`
	const pickles = `{"weight_map": {"a": "pytorch_model-1.bin"}}`
	for _, test := range []struct {
		name  string
		files string
		kind  string
		want  string // "": no checkpoint
	}{
		{"one file", "config.json model.safetensors pytorch_model.bin README.md", SafeTensors, "config.json model.safetensors"},
		{"one file before an index", "model.safetensors model.safetensors.index.json model-1.safetensors model-2.safetensors", SafeTensors, "model.safetensors"},
		{"an index's shards", "model.safetensors.index.json model-1.safetensors model-2.safetensors consolidated.safetensors model-3.safetensors", SafeTensors, "model.safetensors.index.json model-1.safetensors model-2.safetensors"},
		{"a shard is missing", "model.safetensors.index.json model-1.safetensors", "", ""},
		{"another name", "weights.safetensors consolidated.safetensors adapter_model.safetensors vae/x.safetensors", SafeTensors, "weights.safetensors"},
		{"pickles", "pytorch_model.bin tf_model.h5 consolidated.safetensors onnx/model.onnx", PyTorch, "pytorch_model.bin"},
		{"pickles in shards", "pytorch_model.bin.index.json pytorch_model-1.bin training_args.bin", PyTorch, "pytorch_model.bin.index.json pytorch_model-1.bin"},
		{"only consolidated", "consolidated.safetensors params.json tekken.json", SafeTensors, "tekken.json consolidated.safetensors"},
		{"nothing in the top folder", "unet/model.safetensors tf_model.h5", "", ""},
		{"nothing", "", "", ""},
	} {
		files := map[string]bool{}
		for name := range strings.FieldsSeq(test.files) {
			files[name] = true
		}
		read := func(name string) ([]byte, error) {
			if strings.HasPrefix(name, "pytorch") {
				return []byte(pickles), nil
			}
			return []byte(shards), nil
		}
		kind, got, err := choose(func(name string) bool { return files[name] }, slices.Collect(maps.Keys(files)), read)
		if test.want == "" {
			if _, shard := errors.AsType[missingShards](err); !shard && !errors.Is(err, errNoWeights) {
				t.Errorf("%s: %v, %v", test.name, got, err)
			}
			continue
		}
		if err != nil || kind != test.kind || strings.Join(got, " ") != test.want {
			t.Errorf("%s: %s %v, %v", test.name, kind, got, err)
		}
	}
}
