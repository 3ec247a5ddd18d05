package checkpoint

// mistral is the model of Jiang et al., "Mistral 7B" (arXiv:2310.06825), as
// MistralForCausalLM names its tensors.
type mistral struct {
	hidden, ffn, layers, heads, kvHeads, vocab, positions, window int64
	ropeTheta                                                     float64
}

func (m mistral) weights() []weight {
	return decoder{
		hidden: m.hidden, ffn: m.ffn, layers: m.layers, heads: m.heads, kvHeads: m.kvHeads,
		headDim: m.hidden / m.heads, vocab: m.vocab,
	}.weights()
}

func (m mistral) config(d DType) any {
	return map[string]any{
		"architectures":           []string{"MistralForCausalLM"},
		"model_type":              "mistral",
		"torch_dtype":             d.String(),
		"vocab_size":              m.vocab,
		"max_position_embeddings": m.positions,
		"hidden_size":             m.hidden,
		"intermediate_size":       m.ffn,
		"num_hidden_layers":       m.layers,
		"num_attention_heads":     m.heads,
		"num_key_value_heads":     m.kvHeads,
		"hidden_act":              "silu",
		"rms_norm_eps":            1e-5,
		"rope_theta":              m.ropeTheta,
		"sliding_window":          m.window,
		"initializer_range":       0.02,
		"attention_dropout":       0.0,
		"bos_token_id":            1,
		"eos_token_id":            2,
		"tie_word_embeddings":     false,
		"use_cache":               true,
	}
}
