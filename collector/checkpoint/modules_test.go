package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestModuleFiles(t *testing.T) {
	specs := []spec{
		{name: "lm_head.weight", size: 64, tiedTo: -1},
		{name: "model.layers.10.mlp.up.weight", size: 7, tiedTo: -1},
		{name: "model.layers.2.mlp.up.weight", size: 5, tiedTo: -1},
		{name: "model.layers.2.self_attn.q.bias", size: 6, tiedTo: -1},
		{name: "model.norm.weight", size: 3, tiedTo: -1},
		{name: "model.embed_tokens.weight", size: 64, tiedTo: 0},
		{name: `odd"one`, size: 1, tiedTo: -1},
	}
	files, err := moduleFiles(specs)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		`{"model.embed_tokens": 64, "model.layers.2": 11, "model.layers.10": 7, "model.norm": 3, "odd\"one": 1, "lm_head": 64}`,
		`[[["lm_head","model.embed_tokens"],64]]`,
	} {
		if got := string(files[i].data); got != want || files[i].size != int64(len(want)) {
			t.Errorf("%s is %s, want %s", files[i].name, got, want)
		}
	}
}

// TestTiedHeadIsAModule checks that an output layer which the configuration ties
// to the input embedding, and which has no tensor, counts as a module.
func TestTiedHeadIsAModule(t *testing.T) {
	specs := []spec{
		{name: "model.embed_tokens.weight", size: 64, tiedTo: -1},
		{name: "model.layers.0.w", size: 7, tiedTo: -1},
	}
	for _, c := range []struct{ config, modules, tied string }{
		{`{"tie_word_embeddings": true}`, `{"model.embed_tokens": 64, "model.layers.0": 7, "lm_head": 64}`, `[[["model.embed_tokens","lm_head"],64]]`},
		{`{"tie_word_embeddings": false}`, `{"model.embed_tokens": 64, "model.layers.0": 7}`, `[]`},
		{`{}`, `{"model.embed_tokens": 64, "model.layers.0": 7}`, `[]`},
		{`{"tie_word_embeddings": NaN}`, `{"model.embed_tokens": 64, "model.layers.0": 7}`, `[]`},
	} {
		all, err := withTiedHead(specs, []sidecar{newSidecar(configName, []byte(c.config))})
		if err != nil {
			t.Fatal(err)
		}
		files, err := moduleFiles(all)
		if err != nil {
			t.Fatal(err)
		}
		if string(files[0].data) != c.modules || string(files[1].data) != c.tied {
			t.Errorf("%s: %s and %s, want %s and %s", c.config, files[0].data, files[1].data, c.modules, c.tied)
		}
	}
	if len(specs) != 2 {
		t.Error("the model's own tensors were changed")
	}
}

// TestModuleFilesInSLLMFolders checks that only the sllm format gets module
// files, and that a model's own files take precedence.
func TestModuleFilesInSLLMFolders(t *testing.T) {
	m, err := Resolve(t.Context(), "synthetic/opt-125m")
	if err != nil {
		t.Fatal(err)
	}
	for format, want := range map[Format]bool{SLLM: true, SafeTensors: false} {
		plan, err := m.Plan(t.Context(), t.TempDir(), format, "float16", 1, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{modulesName, tiedModulesName} {
			if got := plan.layout.hasExtra(name); got != want {
				t.Errorf("%s has %s: %t, want %t", format, name, got, want)
			}
		}
		for _, e := range plan.layout.extras {
			if e.name == modulesName && (!strings.Contains(string(e.data), `"model.decoder.layers.11": `) || strings.Contains(string(e.data), "fc1")) {
				t.Errorf("modules: %s", e.data)
			}
		}
	}
	dir := t.TempDir()
	const own = `{"mine": 1}`
	write(t, filepath.Join(dir, modulesName), []byte(own))
	writeSafeTensors(t, filepath.Join(dir, "model.safetensors"), []fixture{{"a", Float16, []int64{3}, make([]byte, 6)}})
	if m, err = Resolve(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	plan, err := m.Plan(t.Context(), t.TempDir(), SLLM, "float16", 1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Prepare(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{modulesName: own, tiedModulesName: "[]"} {
		if got, err := os.ReadFile(filepath.Join(plan.Dirs[0], name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v, want %s", name, got, err, want)
		}
	}
}
