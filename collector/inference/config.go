package inference

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/sllmq/sllmq/internal/pyjson"
	"github.com/sllmq/sllmq/internal/text"
)

// config is the part of config.json that determines the computation. The names
// are those of transformers' configuration classes.
type config struct {
	Architectures []string `json:"architectures"`
	architecture  string

	VocabSize       int      `json:"vocab_size"`
	HiddenSize      int      `json:"hidden_size"`
	Layers          int      `json:"num_hidden_layers"`
	Heads           int      `json:"num_attention_heads"`
	KVHeads         *int     `json:"num_key_value_heads"`
	HeadDim         *int     `json:"head_dim"`
	Intermediate    int      `json:"intermediate_size"`
	FFN             int      `json:"ffn_dim"` // OPT's intermediate size
	MaxPositions    int      `json:"max_position_embeddings"`
	RMSNormEps      *float64 `json:"rms_norm_eps"`
	AttentionBias   bool     `json:"attention_bias"`
	MLPBias         bool     `json:"mlp_bias"`
	Activation      string   `json:"hidden_act"`
	Activation2     string   `json:"hidden_activation"`
	ActivationOPT   string   `json:"activation_function"`
	TieEmbeddings   *bool    `json:"tie_word_embeddings"`
	SlidingWindow   *int     `json:"sliding_window"`
	UseSliding      *bool    `json:"use_sliding_window"`
	LayerTypes      []string `json:"layer_types"`
	RopeTheta       *float64 `json:"rope_theta"`
	RopeScaling     *rope    `json:"rope_scaling"`
	RopeParameters  *rope    `json:"rope_parameters"`
	NormBefore      *bool    `json:"do_layer_norm_before"`
	RemoveFinalNorm bool     `json:"_remove_final_layer_norm"`
	WordEmbedDim    *int     `json:"word_embed_proj_dim"`
	QueryScalar     *float64 `json:"query_pre_attn_scalar"`
	AttentionCap    *float64 `json:"attn_logit_softcapping"`
	FinalCap        *float64 `json:"final_logit_softcapping"`
}

// rope holds the parameters of rotary positions. transformers 5 keeps all of
// them in rope_parameters; earlier versions keep theta beside rope_scaling.
type rope struct {
	Type     string   `json:"rope_type"`
	OldType  string   `json:"type"`
	Theta    *float64 `json:"rope_theta"`
	Factor   float64  `json:"factor"`
	Low      float64  `json:"low_freq_factor"`
	High     float64  `json:"high_freq_factor"`
	Original float64  `json:"original_max_position_embeddings"`
}

// Limits well above the largest models, so that a hostile file cannot request
// excessive memory.
const (
	maxConfig = 16 << 20
	maxWidth  = 1 << 18
	maxVocab  = 1 << 22
	maxLayers = 1 << 12
	maxHeads  = 1 << 12
)

// parseConfig reads and checks a config.json.
func parseConfig(b []byte) (config, error) {
	if len(b) > maxConfig {
		return config{}, fmt.Errorf("config.json is longer than %d bytes", maxConfig)
	}
	var c config
	if err := pyjson.Unmarshal(b, &c); err != nil {
		return config{}, fmt.Errorf("read config.json: %w", err)
	}
	if len(c.Architectures) != 1 {
		return config{}, &UnsupportedError{fmt.Sprintf("a model with %d architectures", len(c.Architectures))}
	}
	c.architecture = c.Architectures[0]
	switch c.architecture {
	case "OPTForCausalLM":
		c.Intermediate = c.FFN
	case "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM", "Gemma2ForCausalLM":
	default:
		return config{}, &UnsupportedError{"architecture " + quote(c.architecture)}
	}
	if err := checkSettings(c.architecture, b); err != nil {
		return config{}, err
	}
	if c.KVHeads == nil {
		c.KVHeads = &c.Heads
	}
	for _, n := range []struct {
		name         string
		value, limit int
	}{
		{"vocab_size", c.VocabSize, maxVocab}, {"hidden_size", c.HiddenSize, maxWidth}, {"num_hidden_layers", c.Layers, maxLayers},
		{"num_attention_heads", c.Heads, maxHeads}, {"num_key_value_heads", *c.KVHeads, maxHeads}, {"the intermediate size", c.Intermediate, 4 * maxWidth},
	} {
		if n.value < 1 || n.value > n.limit {
			return config{}, fmt.Errorf("config.json: %s is %d, not 1 to %d", n.name, n.value, n.limit)
		}
	}
	if c.HeadDim == nil {
		c.HeadDim = new(c.HiddenSize / c.Heads)
	}
	if *c.HeadDim < 1 || *c.HeadDim > 1<<14 || *c.HeadDim%2 != 0 || c.Heads%*c.KVHeads != 0 {
		return config{}, fmt.Errorf("config.json: invalid attention: %d heads of size %d and %d key-value heads", c.Heads, *c.HeadDim, *c.KVHeads)
	}
	return c, c.checkRest()
}

func (c *config) checkRest() error {
	if c.RMSNormEps != nil && !(*c.RMSNormEps >= 0 && *c.RMSNormEps < 1) {
		return fmt.Errorf("config.json: rms_norm_eps is %g, not from 0 to 1", *c.RMSNormEps)
	}
	for _, v := range []*float64{c.RopeTheta, c.QueryScalar, c.AttentionCap, c.FinalCap} {
		if v != nil && !(*v > 0) {
			return errors.New("config.json: rope_theta, query_pre_attn_scalar and the soft caps must be positive")
		}
	}
	if len(c.LayerTypes) > 0 && len(c.LayerTypes) != c.Layers {
		return fmt.Errorf("config.json: %d layer_types for %d layers", len(c.LayerTypes), c.Layers)
	}
	want, got := "silu", c.Activation
	switch c.architecture {
	case "OPTForCausalLM":
		want, got = "relu", c.ActivationOPT
		if *c.KVHeads != c.Heads || c.Heads**c.HeadDim != c.HiddenSize {
			return fmt.Errorf("config.json: invalid attention: %d heads of size %d in a hidden size of %d", c.Heads, *c.HeadDim, c.HiddenSize)
		}
	case "Gemma2ForCausalLM":
		want, got = "gelu_pytorch_tanh", c.Activation2
		if got == "" {
			got = want // older files have hidden_act, which Gemma never used
		}
	}
	if got != "" && got != want {
		return &UnsupportedError{"activation " + quote(got)}
	}
	if c.MaxPositions < 1 || c.MaxPositions > 1<<26 {
		return fmt.Errorf("config.json: max_position_embeddings is %d", c.MaxPositions)
	}
	return c.checkCombinations()
}

// window returns how many tokens a layer's attention covers; 0 means all.
func (c *config) window(layer int) int {
	if c.SlidingWindow == nil || *c.SlidingWindow < 1 || c.UseSliding != nil && !*c.UseSliding {
		return 0
	}
	switch {
	case len(c.LayerTypes) > 0:
		if c.LayerTypes[layer] != "sliding_attention" {
			return 0
		}
	case c.architecture == "Gemma2ForCausalLM":
		if layer%2 == 1 {
			return 0
		}
	case c.architecture != "MistralForCausalLM":
		return 0
	}
	return *c.SlidingWindow
}

// frequencies returns, for each pair of a head's values, the angle in radians
// between one position and the next. The scalings follow transformers'
// modeling_rope_utils.py.
func (c *config) frequencies() ([]float64, error) {
	r := rope{}
	if c.RopeScaling != nil {
		r = *c.RopeScaling
	}
	if c.RopeParameters != nil {
		r = *c.RopeParameters
	}
	theta := 10000.0
	for _, t := range []*float64{c.RopeTheta, r.Theta} {
		if t != nil {
			theta = *t
		}
	}
	if !(theta > 0) {
		return nil, errors.New("config.json: rope_theta is not positive")
	}
	kind := r.Type
	if kind == "" {
		kind = r.OldType
	}
	half := *c.HeadDim / 2
	f := make([]float64, half)
	for i := range f {
		f[i] = math.Pow(theta, -float64(2*i)/float64(*c.HeadDim))
	}
	switch kind {
	case "", "default":
		return f, nil
	case "linear", "llama3":
		if !(r.Factor > 0) || kind == "llama3" && (!(r.Low > 0) || !(r.High > r.Low) || !(r.Original > 0)) {
			return nil, errors.New("config.json: the factors of the rope scaling are invalid")
		}
	default:
		return nil, &UnsupportedError{"rope scaling " + quote(kind)}
	}
	for i := range f {
		if kind == "linear" {
			f[i] /= r.Factor
			continue
		}
		switch length := 2 * math.Pi / f[i]; {
		case length > r.Original/r.Low:
			f[i] /= r.Factor
		case length >= r.Original/r.High:
			smooth := (r.Original/length - r.Low) / (r.High - r.Low)
			f[i] = (1-smooth)*f[i]/r.Factor + smooth*f[i]
		}
	}
	return f, nil
}

// quote quotes a name from a file, shortened for an error message.
func quote(s string) string { return strconv.Quote(text.Clip(s, 60)) }
