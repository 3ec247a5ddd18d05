package checkpoint

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestParameters compares the shapes with the published parameter counts.
func TestParameters(t *testing.T) {
	for _, s := range catalogue() {
		if got := distinctParameters(s.specs(s.dtype)); got != s.parameters {
			t.Errorf("%s has %d parameters, want %d", s.name, got, s.parameters)
		}
		m, err := Resolve(t.Context(), syntheticPrefix+s.name)
		if err != nil {
			t.Fatal(err)
		}
		specs, _, err := m.specs("float32")
		var bytes int64
		for _, s := range specs {
			if s.tiedTo < 0 {
				bytes += s.size
			}
		}
		if err != nil || bytes != 4*s.parameters {
			t.Errorf("%s: %d bytes of float32, %v", s.name, bytes, err)
		}
	}
}

// TestSyntheticTensors spot-checks names, shapes and ties against the published
// checkpoints.
func TestSyntheticTensors(t *testing.T) {
	for _, test := range []struct {
		model  string
		count  int // names, including tied ones
		has    map[string][]int64
		hasNot []string
		tied   bool
	}{
		{"opt-125m", 197, map[string][]int64{
			"model.decoder.embed_tokens.weight":              {50272, 768},
			"model.decoder.embed_positions.weight":           {2050, 768},
			"model.decoder.layers.0.self_attn.k_proj.weight": {768, 768},
			"model.decoder.layers.11.fc1.bias":               {3072},
			"model.decoder.final_layer_norm.bias":            {768},
		}, []string{"model.decoder.project_in.weight"}, true},
		{"opt-350m", 389, map[string][]int64{
			"model.decoder.embed_tokens.weight": {50272, 512},
			"model.decoder.project_in.weight":   {1024, 512},
			"model.decoder.project_out.weight":  {512, 1024},
			"lm_head.weight":                    {50272, 512},
		}, []string{"model.decoder.final_layer_norm.weight"}, true},
		{"llama-3.1-8b", 291, map[string][]int64{
			"model.layers.31.self_attn.v_proj.weight": {1024, 4096},
			"model.layers.0.mlp.down_proj.weight":     {4096, 14336},
			"lm_head.weight":                          {128256, 4096},
		}, nil, false},
		{"qwen3-0.6b", 311, map[string][]int64{
			"model.layers.0.self_attn.q_norm.weight": {128},
			"model.layers.0.self_attn.q_proj.weight": {2048, 1024},
		}, nil, true},
	} {
		s, err := findSynthetic(test.model)
		if err != nil {
			t.Fatal(err)
		}
		shapes := map[string][]int64{}
		tied := false
		for _, sp := range s.specs(Float16) {
			shapes[sp.name] = sp.shape
			tied = tied || sp.name == "lm_head.weight" && sp.tiedTo >= 0
		}
		if len(shapes) != test.count {
			t.Errorf("%s has %d tensors, want %d", test.model, len(shapes), test.count)
		}
		for name, shape := range test.has {
			if !slices.Equal(shapes[name], shape) {
				t.Errorf("%s: %s has shape %v, want %v", test.model, name, shapes[name], shape)
			}
		}
		for _, name := range test.hasNot {
			if _, ok := shapes[name]; ok {
				t.Errorf("%s has %s", test.model, name)
			}
		}
		if tied != test.tied {
			t.Errorf("%s: lm_head.weight tied: %v, want %v", test.model, tied, test.tied)
		}
	}
}

func TestSyntheticConfig(t *testing.T) {
	for _, s := range catalogue() {
		files, err := s.sidecars(BFloat16)
		if err != nil {
			t.Fatal(err)
		}
		var config struct {
			ModelType  string `json:"model_type"`
			TorchDType string `json:"torch_dtype"`
			Layers     int    `json:"num_hidden_layers"`
			Tied       bool   `json:"tie_word_embeddings"`
		}
		if err := json.Unmarshal(files[0].data, &config); err != nil {
			t.Fatal(err)
		}
		tied := slices.ContainsFunc(s.arch.weights(), func(w weight) bool { return w.tied != "" })
		if config.ModelType == "" || config.TorchDType != "bfloat16" || config.Layers == 0 || config.Tied != tied {
			t.Errorf("%s: config.json has %+v, but tied is %v", s.name, config, tied)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"synthetic/opt-9b":   "synthetic/opt-125m, synthetic/opt-350m",
		"synthetic/../../x":  "unknown model",
		"facebook/opt-6.7b":  "was not downloaded from the Hub",
		"":                   "neither a folder nor synthetic/NAME",
		"./no-such-folder":   "no such file or directory",
		"/dev/null":          "not a directory",
		"~/no-such-folder-x": "no such file or directory",
	} {
		_, err := Resolve(t.Context(), name)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Resolve(%q): %v, want an error with %q", name, err, want)
		}
	}
}
