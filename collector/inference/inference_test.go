package inference

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
)

// golden holds results of transformers, from scripts/fixtures/make_inference.py.
type golden struct {
	Prompt, Tokens []int32
	First          []float32 `json:"first_logits"`
	Last           []float32 `json:"last_logits"`
}

func readGolden(t testing.TB, name string) golden {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Prompt) != 21 || len(g.Tokens) != 20 || len(g.Last) != 160 {
		t.Fatalf("%s: golden file has %d prompt tokens, %d tokens and %d logits", name, len(g.Prompt), len(g.Tokens), len(g.Last))
	}
	return g
}

// open reads a tiny checkpoint.
func open(t testing.TB, name string) ([]byte, map[string]Tensor) {
	t.Helper()
	dir := filepath.Join("testdata", name)
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir, checkpoint.SafeTensors)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(c.Path(0))
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]Tensor{}
	for _, tensor := range c.Tensors {
		tensors[tensor.Name] = Tensor{DType: tensor.DType.String(), Shape: tensor.Shape, Data: file[tensor.Offset : tensor.Offset+tensor.Size]}
	}
	return config, tensors
}

func from(tensors map[string]Tensor) Lookup {
	return func(name string) (Tensor, bool) { t, ok := tensors[name]; return t, ok }
}

var models = []string{"opt", "opt-350m", "llama", "llama-3", "mistral", "qwen2", "qwen3", "gemma2"}

func TestEqualsTransformers(t *testing.T) {
	for _, name := range models {
		g := readGolden(t, name)
		config, tensors := open(t, name)
		for _, threads := range []int{1, 3} {
			for _, kernel := range kernels() {
				m, err := New(config, from(tensors), threads)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				m.team.kernel = kernel
				g.check(t, fmt.Sprintf("%s on %d threads with kernel %d", name, threads, kernel), m)
				m.Close()
			}
		}
	}
}

// check compares a model's results with the golden ones.
func (g golden) check(t *testing.T, name string, m *Model) {
	t.Helper()
	logits, err := m.Logits(t.Context(), g.Prompt)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, name+" first", logits[0], g.First)
	compare(t, name+" last", logits[len(logits)-1], g.Last)
	r, err := m.Generate(t.Context(), g.Prompt, Settings{NewTokens: 20})
	if err != nil || !slices.Equal(r.Tokens, g.Tokens) {
		t.Errorf("%s: tokens %v, want %v (%v)", name, r.Tokens, g.Tokens, err)
	}
	if len(r.Times) != 20 || !slices.IsSorted(r.Times) || r.Times[0] <= 0 {
		t.Errorf("%s: times %v", name, r.Times)
	}
}

// compare allows differences of 1e-3 of the largest logit.
func compare(t *testing.T, what string, got, want []float32) {
	t.Helper()
	top, worst := 0.0, 0.0
	for i := range want {
		top = max(top, math.Abs(float64(want[i])))
		worst = max(worst, math.Abs(float64(got[i]-want[i])))
	}
	if !(worst <= 1e-3*top) || math.IsNaN(float64(got[0])) {
		t.Errorf("%s: logits differ by %g; the largest is %g", what, worst, top)
	}
}

// TestKernels compares every implementation of products with the plain one, for
// widths that leave remainders.
func TestKernels(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, cols := range []int{1, 3, 8, 31, 64, 127, 200} {
		for _, kind := range []elementKind{float32Kind, float16Kind, bfloat16Kind} {
			const rows, n = 9, 6
			m := matrix{rows: rows, cols: cols, kind: kind, data: make([]byte, rows*int64(cols)*kind.size())}
			for i := 0; i < len(m.data); i += int(kind.size()) {
				value := float32(random.NormFloat64())
				switch kind {
				case float32Kind:
					binary.LittleEndian.PutUint32(m.data[i:], math.Float32bits(value))
				case bfloat16Kind:
					binary.LittleEndian.PutUint16(m.data[i:], uint16(math.Float32bits(value)>>16))
				default: // any sign and fraction and a low exponent, including subnormals
					binary.LittleEndian.PutUint16(m.data[i:], uint16(random.Uint32())&0xbfff)
				}
			}
			x := make([]float32, n*cols)
			for i := range x {
				x[i] = float32(random.NormFloat64())
			}
			want := make([]float32, n*rows)
			for k, kernel := range kernels() {
				team := newTeam(1)
				team.kernel = kernel
				got := make([]float32, n*rows)
				team.multiply(got, m, x, n, nil)
				if k == 0 {
					want = got
				}
				for i := range got {
					if d := math.Abs(float64(got[i] - want[i])); !(d <= 1e-4*(1+math.Abs(float64(want[i])))) {
						t.Fatalf("kernel %d, kind %d, %d columns: product %d is %v, want %v", kernel, kind, cols, i, got[i], want[i])
					}
				}
			}
		}
	}
}

func TestEndTokenAndBounds(t *testing.T) {
	g := readGolden(t, "llama")
	config, tensors := open(t, "llama")
	m, err := New(config, from(tensors), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r, err := m.Generate(t.Context(), g.Prompt, Settings{NewTokens: 20, EOS: []int32{g.Tokens[4]}})
	if err != nil || !slices.Equal(r.Tokens, g.Tokens[:5]) {
		t.Errorf("%v, %v", r.Tokens, err)
	}
	for what, prompt := range map[string][]int32{"is empty": nil, "token 160, which is outside": {160}, "token -1, which is outside": {-1}, "256 positions": make([]int32, 256)} {
		if _, err := m.Generate(t.Context(), prompt, Settings{NewTokens: 20}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want an error with %q", err, what)
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Generate(done, g.Prompt, Settings{NewTokens: 20}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	config, tensors := open(t, "qwen2")
	for what, change := range map[string]func(map[string]any, map[string]Tensor){
		`architecture "MambaForCausalLM"`: func(c map[string]any, _ map[string]Tensor) { c["architectures"] = []string{"MambaForCausalLM"} },
		`rope scaling "yarn"`: func(c map[string]any, _ map[string]Tensor) {
			c["rope_parameters"] = map[string]any{"rope_type": "yarn"}
		},
		`activation "gelu"`: func(c map[string]any, _ map[string]Tensor) { c["hidden_act"] = "gelu" },
		"weights in int8": func(_ map[string]any, w map[string]Tensor) {
			w["lm_head.weight"] = Tensor{DType: "int8", Shape: []int64{160, 64}, Data: make([]byte, 160*64)}
		},
		"no tensor model.norm.weight":  func(_ map[string]any, w map[string]Tensor) { delete(w, "model.norm.weight") },
		"no tensor lm_head.weight":     func(_ map[string]any, w map[string]Tensor) { delete(w, "lm_head.weight") },
		"requires 320 × 64":            func(c map[string]any, _ map[string]Tensor) { c["vocab_size"] = 320 },
		"hidden_size is 0":             func(c map[string]any, _ map[string]Tensor) { c["hidden_size"] = 0 },
		"num_hidden_layers is 1000000": func(c map[string]any, _ map[string]Tensor) { c["num_hidden_layers"] = 1000000 },
		"3 key-value heads":            func(c map[string]any, _ map[string]Tensor) { c["num_key_value_heads"] = 3 },
		"layers.2.input_layernorm":     func(c map[string]any, _ map[string]Tensor) { c["num_hidden_layers"] = 9; delete(c, "layer_types") },
		"1 layer_types for 2 layers":   func(c map[string]any, _ map[string]Tensor) { c["layer_types"] = []string{"full_attention"} },
	} {
		var c map[string]any
		if err := json.Unmarshal(config, &c); err != nil {
			t.Fatal(err)
		}
		w := map[string]Tensor{}
		for name, tensor := range tensors {
			w[name] = tensor
		}
		change(c, w)
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(text, from(w), 1); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want an error with %q", err, what)
		}
		var unsupported *UnsupportedError
		_, err = New(text, from(w), 1)
		if strings.HasPrefix(what, "architecture") && !errors.As(err, &unsupported) {
			t.Errorf("%v is not an UnsupportedError", err)
		}
	}
}

// TestSettings changes one setting of a model that the package can run.
func TestSettings(t *testing.T) {
	for _, test := range []struct {
		model, name string
		value       string // JSON
		want        string // of an UnsupportedError; empty if the setting has no effect
	}{
		{"llama", "initializer_range", "0.5", ""},
		{"llama", "quantization_config", "null", ""},
		{"llama", "time_step_limit", "[0, Infinity]", ""},
		{"llama", "quantization_config", `{"bits": 4}`, `sets "quantization_config"`},
		{"llama", "num_local_experts", "8", `sets "num_local_experts" to 8`},
		{"llama", "sliding_window", "4", `sets "sliding_window" to 4`},
		{"llama", "unheard_of", "NaN", `sets "unheard_of" to NaN`},
		{"llama", "partial_rotary_factor", "0.5", `sets "partial_rotary_factor" to 0.5`},
		{"llama", "partial_rotary_factor", "1.0", ""},
		{"llama", "model_type", `"minicpm"`, `sets "model_type"`},
		{"llama", "mlp_bias", "true", "no tensor model.layers.0.mlp.gate_proj.bias"},
		{"llama-3", "rope_parameters", `{"rope_type": "default", "rope_theta": 10000.0, "attention_factor": 2}`, `"attention_factor" to 2 in rope_parameters`},
		{"mistral", "attention_bias", "true", `sets "attention_bias" to true`},
		{"qwen2", "layer_types", `["full_attention", "linear_attention"]`, `"linear_attention"`},
		{"gemma2", "tie_word_embeddings", "false", `"tie_word_embeddings" to false`},
		{"opt", "tie_word_embeddings", "false", `"tie_word_embeddings" to false`},
		{"opt", "enable_bias", "false", `sets "enable_bias" to false`},
	} {
		config, tensors := open(t, test.model)
		// The last of two members of a name counts.
		config = append(bytes.TrimRight(config, "} \n"), fmt.Sprintf(", %q: %s}", test.name, test.value)...)
		m, err := New(config, from(tensors), 1)
		if err == nil {
			m.Close()
		}
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s with %s %s: %v, want %q", test.model, test.name, test.value, err, test.want)
		}
	}
}

func TestShortContext(t *testing.T) {
	g := readGolden(t, "llama")
	config, tensors := open(t, "llama")
	for positions, want := range map[int]int{21: 0, 22: 1, 30: 9} {
		config := append(bytes.TrimRight(bytes.Clone(config), "} \n"), fmt.Sprintf(`, "max_position_embeddings": %d}`, positions)...)
		m, err := New(config, from(tensors), 1)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Generate(t.Context(), g.Prompt, Settings{NewTokens: 20})
		m.Close()
		if len(r.Tokens) != want || !slices.Equal(r.Tokens, g.Tokens[:want]) {
			t.Errorf("%d positions: tokens %v (%v), want %d", positions, r.Tokens, err, want)
		}
		var unsupported *UnsupportedError
		if errors.As(err, &unsupported) != (want == 0) {
			t.Errorf("%d positions: %v", positions, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, name := range models {
		config, _ := open(f, name)
		f.Add(config)
	}
	_, tensors := open(f, "llama")
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := New(text, from(tensors), 1)
		if err != nil {
			return
		}
		defer m.Close()
		if _, err := m.Generate(t.Context(), []int32{1, 2, 3}, Settings{NewTokens: 2}); err != nil && !strings.Contains(err.Error(), "positions") && !strings.Contains(err.Error(), "vocabulary") {
			t.Fatal(err)
		}
	})
}

// shape holds the sizes of a published model.
type shape struct {
	name, architecture                                                string
	hidden, layers, heads, kvHeads, headDim, intermediate, vocabulary int
}

var shapes = []shape{
	{"opt-125m", "OPTForCausalLM", 768, 12, 12, 12, 64, 3072, 50272},
	{"qwen3-0.6b", "Qwen3ForCausalLM", 1024, 28, 16, 8, 128, 3072, 151936},
	{"opt-1.3b", "OPTForCausalLM", 2048, 24, 32, 32, 64, 8192, 50272},
}

// BenchmarkDecode measures decoding in tokens per second, the bandwidth of
// reading the same weights with as many threads, and their ratio: the fraction of
// memory bandwidth that decoding reaches.
func BenchmarkDecode(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			config, tensors, bytes := s.random()
			m, err := New(config, from(tensors), 0)
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			var ratios, rates, reads []float64
			for b.Loop() {
				r, err := m.Generate(context.Background(), []int32{5, 6, 7, 8}, Settings{NewTokens: 12})
				if err != nil {
					b.Fatal(err)
				}
				decode := (r.Times[11] - r.Times[0]).Seconds() / 11
				begun := time.Now()
				m.readAll(tensors)
				read := time.Since(begun).Seconds()
				rates, reads, ratios = append(rates, 1/decode), append(reads, bytes/read/1e9), append(ratios, read/decode)
			}
			reportMedians(b, []medianOf{{rates, "tokens/s"}, {reads, "read-GB/s"}, {ratios, "of-read"}})
		})
	}
}

type medianOf struct {
	values []float64
	unit   string
}

func reportMedians(b *testing.B, of []medianOf) {
	for _, m := range of {
		slices.Sort(m.values)
		b.ReportMetric(m.values[len(m.values)/2], m.unit)
	}
}

// readAll reads the weights as fast as this package can: as float32, which needs
// no widening, times a vector that stays in the first-level cache.
func (m *Model) readAll(tensors map[string]Tensor) {
	const width = 1024
	ones := make([]float32, width)
	for _, t := range tensors {
		rows := len(t.Data) / (4 * width)
		m.team.multiply(make([]float32, rows), matrix{rows: rows, cols: width, kind: float32Kind, data: t.Data}, ones, 1, nil)
	}
}

// random returns a random model in float16, and the number of bytes that a token
// reads.
func (s shape) random() (config []byte, tensors map[string]Tensor, bytes float64) {
	tensors = map[string]Tensor{}
	r := rand.New(rand.NewPCG(1, 2))
	add := func(name string, dims ...int64) {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		data := make([]byte, 2*n)
		for i := 0; i+8 <= len(data); i += 8 {
			binary.LittleEndian.PutUint64(data[i:], r.Uint64()&0x83ff_83ff_83ff_83ff|0x2400_2400_2400_2400)
		}
		tensors[name] = Tensor{DType: "float16", Shape: dims, Data: data}
		if !strings.Contains(name, "embed_positions") {
			bytes += float64(len(data))
		}
	}
	h, q, kv, f, v := int64(s.hidden), int64(s.heads*s.headDim), int64(s.kvHeads*s.headDim), int64(s.intermediate), int64(s.vocabulary)
	if s.architecture == "OPTForCausalLM" {
		add("model.decoder.embed_tokens.weight", v, h)
		add("model.decoder.embed_positions.weight", 2050, h)
		add("model.decoder.final_layer_norm.weight", h)
		add("model.decoder.final_layer_norm.bias", h)
	} else {
		add("model.embed_tokens.weight", v, h)
		add("model.norm.weight", h)
	}
	for i := range s.layers {
		if s.architecture == "OPTForCausalLM" {
			p := fmt.Sprintf("model.decoder.layers.%d.", i)
			for _, name := range []string{"self_attn_layer_norm.weight", "self_attn_layer_norm.bias", "final_layer_norm.weight", "final_layer_norm.bias"} {
				add(p+name, h)
			}
			for _, name := range []string{"q", "k", "v", "out"} {
				add(p+"self_attn."+name+"_proj.weight", h, h)
			}
			add(p+"fc1.weight", f, h)
			add(p+"fc2.weight", h, f)
			continue
		}
		p := fmt.Sprintf("model.layers.%d.", i)
		add(p+"input_layernorm.weight", h)
		add(p+"post_attention_layernorm.weight", h)
		add(p+"self_attn.q_norm.weight", int64(s.headDim))
		add(p+"self_attn.k_norm.weight", int64(s.headDim))
		add(p+"self_attn.q_proj.weight", q, h)
		add(p+"self_attn.k_proj.weight", kv, h)
		add(p+"self_attn.v_proj.weight", kv, h)
		add(p+"self_attn.o_proj.weight", h, q)
		add(p+"mlp.gate_proj.weight", f, h)
		add(p+"mlp.up_proj.weight", f, h)
		add(p+"mlp.down_proj.weight", h, f)
	}
	config, _ = json.Marshal(map[string]any{
		"architectures": []string{s.architecture}, "vocab_size": s.vocabulary, "hidden_size": s.hidden, "num_hidden_layers": s.layers,
		"num_attention_heads": s.heads, "num_key_value_heads": s.kvHeads, "head_dim": s.headDim, "intermediate_size": s.intermediate,
		"ffn_dim": s.intermediate, "max_position_embeddings": 2048, "tie_word_embeddings": true,
	})
	return config, tensors, bytes
}
