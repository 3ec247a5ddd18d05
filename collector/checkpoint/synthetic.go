package checkpoint

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// architecture describes a family of models.
type architecture interface {
	// weights returns the tensors in the order of the modules, as transformers'
	// save_pretrained finds them, including tied ones.
	weights() []weight
	// config returns the content of config.json, for weights of the given type.
	config(d DType) any
}

// weight is one tensor of an architecture.
type weight struct {
	name  string
	shape []int64
	kind  kind
	tied  string // the earlier tensor that this is another name of, or ""
}

// synthetic is a model with the tensors and shapes of a published one and
// seeded random weights.
type synthetic struct {
	name       string
	arch       architecture
	parameters int64 // as published; tied tensors count once
	dtype      DType // as published
}

// syntheticPrefix begins the names of synthetic models.
const syntheticPrefix = "synthetic/"

// catalogue returns the synthetic models. The numbers come from each model's
// config.json on the Hub.
func catalogue() []synthetic {
	return []synthetic{
		{"opt-125m", opt{hidden: 768, embed: 768, ffn: 3072, layers: 12, heads: 12}, 125_239_296, Float16},
		{"opt-350m", opt{hidden: 1024, embed: 512, ffn: 4096, layers: 24, heads: 16, postNorm: true}, 331_196_416, Float16},
		{"opt-1.3b", opt{hidden: 2048, embed: 2048, ffn: 8192, layers: 24, heads: 32}, 1_315_758_080, Float16},
		{"opt-2.7b", opt{hidden: 2560, embed: 2560, ffn: 10240, layers: 32, heads: 32}, 2_651_596_800, Float16},
		{"opt-6.7b", opt{hidden: 4096, embed: 4096, ffn: 16384, layers: 32, heads: 32}, 6_658_473_984, Float16},
		{"opt-13b", opt{hidden: 5120, embed: 5120, ffn: 20480, layers: 40, heads: 40}, 12_853_473_280, Float16},
		{"llama-3.1-8b", llama{hidden: 4096, ffn: 14336, layers: 32, heads: 32, kvHeads: 8, headDim: 128, vocab: 128256,
			positions: 131072, ropeTheta: 500000, ropeFactor: 8, eps: 1e-5, bos: 128000, eos: 128001}, 8_030_261_248, BFloat16},
		{"llama-3.2-1b", llama{hidden: 2048, ffn: 8192, layers: 16, heads: 32, kvHeads: 8, headDim: 64, vocab: 128256,
			positions: 131072, ropeTheta: 500000, ropeFactor: 32, eps: 1e-5, bos: 128000, eos: 128001, tied: true}, 1_235_814_400, BFloat16},
		{"qwen3-0.6b", qwen3{hidden: 1024, ffn: 3072, layers: 28, heads: 16, kvHeads: 8, tied: true}, 596_049_920, BFloat16},
		{"qwen3-8b", qwen3{hidden: 4096, ffn: 12288, layers: 36, heads: 32, kvHeads: 8}, 8_190_735_360, BFloat16},
		{"qwen3-32b", qwen3{hidden: 5120, ffn: 25600, layers: 64, heads: 64, kvHeads: 8}, 32_762_123_264, BFloat16},
		{"mistral-7b", mistral{hidden: 4096, ffn: 14336, layers: 32, heads: 32, kvHeads: 8, vocab: 32000,
			positions: 32768, ropeTheta: 10000, window: 4096}, 7_241_732_096, BFloat16},
	}
}

// SyntheticNames returns the names of the synthetic models, for Resolve.
func SyntheticNames() []string {
	var names []string
	for _, s := range catalogue() {
		names = append(names, syntheticPrefix+s.name)
	}
	return names
}

// findSynthetic looks up a synthetic model by its name without the prefix.
func findSynthetic(name string) (synthetic, error) {
	all := catalogue()
	i := slices.IndexFunc(all, func(s synthetic) bool { return s.name == name })
	if i < 0 {
		return synthetic{}, fmt.Errorf("unknown model %s%s: use one of %s", syntheticPrefix, clip(name), strings.Join(SyntheticNames(), ", "))
	}
	return all[i], nil
}

// specs returns the model's tensors in a type.
func (s synthetic) specs(d DType) []spec {
	weights := s.arch.weights()
	byName := make(map[string]int, len(weights))
	specs := make([]spec, len(weights))
	for i, w := range weights {
		byName[w.name] = i
		n, _ := denseBytes(w.shape, d) // a published shape, which fits
		specs[i] = spec{name: w.name, dtype: d, shape: w.shape, stride: denseStride(nil, w.shape), size: n, tiedTo: -1}
		if w.tied != "" {
			specs[i].tiedTo = byName[w.tied] // an earlier one
		}
	}
	return specs
}

// sidecars returns config.json and the files of a tiny tokenizer.
func (s synthetic) sidecars(d DType) ([]sidecar, error) {
	config, err := json.MarshalIndent(s.arch.config(d), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make config.json for %s: %w", s.name, err)
	}
	config = append(config, '\n')
	tokenizer, err := tinyTokenizer(config)
	if err != nil {
		return nil, err
	}
	return append([]sidecar{newSidecar(configName, config)}, tokenizer...), nil
}

// linear is a projection. Its weight has shape [out, in], as in torch.
func linear(name string, out, in int64) weight {
	return weight{name: name + ".weight", shape: []int64{out, in}, kind: matrix}
}

// linearBias is a projection and its bias, in torch's order.
func linearBias(name string, out, in int64) []weight {
	return []weight{linear(name, out, in), {name: name + ".bias", shape: []int64{out}, kind: bias}}
}

// rmsNorm is a norm with a scale alone.
func rmsNorm(name string, n int64) weight {
	return weight{name: name + ".weight", shape: []int64{n}, kind: norm}
}

// layerNorm is a norm with a scale and a bias.
func layerNorm(name string, n int64) []weight {
	return []weight{rmsNorm(name, n), {name: name + ".bias", shape: []int64{n}, kind: bias}}
}

// head is the projection to the vocabulary, which may be tied to the embedding.
func head(vocab, in int64, tiedTo string) weight {
	w := linear("lm_head", vocab, in)
	w.tied = tiedTo
	return w
}

// decoder describes what Llama, Mistral and Qwen3 have in common: rotary
// positions, grouped queries, a gated feed-forward, RMS norms and no biases.
type decoder struct {
	hidden, ffn, layers, heads, kvHeads, headDim, vocab int64
	queryKeyNorm, tied                                  bool
}

func (d decoder) weights() []weight {
	const embedding = "model.embed_tokens"
	list := []weight{linear(embedding, d.vocab, d.hidden)}
	for i := range d.layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		attention, mlp := layer+"self_attn.", layer+"mlp."
		list = append(list,
			linear(attention+"q_proj", d.heads*d.headDim, d.hidden),
			linear(attention+"k_proj", d.kvHeads*d.headDim, d.hidden),
			linear(attention+"v_proj", d.kvHeads*d.headDim, d.hidden),
			linear(attention+"o_proj", d.hidden, d.heads*d.headDim))
		if d.queryKeyNorm {
			list = append(list, rmsNorm(attention+"q_norm", d.headDim), rmsNorm(attention+"k_norm", d.headDim))
		}
		list = append(list,
			linear(mlp+"gate_proj", d.ffn, d.hidden),
			linear(mlp+"up_proj", d.ffn, d.hidden),
			linear(mlp+"down_proj", d.hidden, d.ffn),
			rmsNorm(layer+"input_layernorm", d.hidden),
			rmsNorm(layer+"post_attention_layernorm", d.hidden))
	}
	list = append(list, rmsNorm("model.norm", d.hidden))
	tiedTo := ""
	if d.tied {
		tiedTo = embedding + ".weight"
	}
	return append(list, head(d.vocab, d.hidden, tiedTo))
}

// distinctParameters counts the elements of specs, tied tensors once.
func distinctParameters(specs []spec) int64 {
	var total int64
	for _, s := range specs {
		if n, ok := elements(s.shape); ok && s.tiedTo < 0 {
			total += n
		}
	}
	return total
}
