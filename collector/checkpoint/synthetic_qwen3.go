package checkpoint

// qwen3 is the dense family of Yang et al., "Qwen3 Technical Report"
// (arXiv:2505.09388), as Qwen3ForCausalLM names its tensors.
type qwen3 struct {
	hidden, ffn, layers, heads, kvHeads int64
	tied                                bool
}

// Sizes that all dense models of the family share.
const (
	qwen3Vocab     = 151936
	qwen3HeadDim   = 128
	qwen3Positions = 40960
)

func (q qwen3) weights() []weight {
	return decoder{
		hidden: q.hidden, ffn: q.ffn, layers: q.layers, heads: q.heads, kvHeads: q.kvHeads,
		headDim: qwen3HeadDim, vocab: qwen3Vocab, queryKeyNorm: true, tied: q.tied,
	}.weights()
}

func (q qwen3) config(d DType) any {
	return map[string]any{
		"architectures":           []string{"Qwen3ForCausalLM"},
		"model_type":              "qwen3",
		"torch_dtype":             d.String(),
		"vocab_size":              qwen3Vocab,
		"max_position_embeddings": qwen3Positions,
		"hidden_size":             q.hidden,
		"intermediate_size":       q.ffn,
		"num_hidden_layers":       q.layers,
		"max_window_layers":       q.layers,
		"num_attention_heads":     q.heads,
		"num_key_value_heads":     q.kvHeads,
		"head_dim":                qwen3HeadDim,
		"hidden_act":              "silu",
		"rms_norm_eps":            1e-6,
		"rope_theta":              1000000,
		"rope_scaling":            nil,
		"initializer_range":       0.02,
		"attention_bias":          false,
		"attention_dropout":       0.0,
		"bos_token_id":            151643,
		"eos_token_id":            151645,
		"sliding_window":          nil,
		"use_sliding_window":      false,
		"tie_word_embeddings":     q.tied,
		"use_cache":               true,
	}
}
