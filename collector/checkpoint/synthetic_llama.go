package checkpoint

// llama is the family of Grattafiori et al., "The Llama 3 Herd of Models"
// (arXiv:2407.21783), as LlamaForCausalLM names its tensors.
type llama struct {
	hidden, ffn, layers, heads, kvHeads, headDim, vocab, positions int64
	ropeTheta, ropeFactor, eps                                     float64
	bos, eos                                                       int
	tied                                                           bool
}

func (l llama) weights() []weight {
	return decoder{
		hidden: l.hidden, ffn: l.ffn, layers: l.layers, heads: l.heads, kvHeads: l.kvHeads,
		headDim: l.headDim, vocab: l.vocab, tied: l.tied,
	}.weights()
}

func (l llama) config(d DType) any {
	return map[string]any{
		"architectures":           []string{"LlamaForCausalLM"},
		"model_type":              "llama",
		"torch_dtype":             d.String(),
		"vocab_size":              l.vocab,
		"max_position_embeddings": l.positions,
		"hidden_size":             l.hidden,
		"intermediate_size":       l.ffn,
		"num_hidden_layers":       l.layers,
		"num_attention_heads":     l.heads,
		"num_key_value_heads":     l.kvHeads,
		"head_dim":                l.headDim,
		"hidden_act":              "silu",
		"rms_norm_eps":            l.eps,
		"rope_theta":              l.ropeTheta,
		"rope_scaling": map[string]any{
			"rope_type": "llama3", "factor": l.ropeFactor, "low_freq_factor": 1.0,
			"high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
		},
		"initializer_range":   0.02,
		"attention_bias":      false,
		"mlp_bias":            false,
		"attention_dropout":   0.0,
		"bos_token_id":        l.bos,
		"eos_token_id":        l.eos,
		"tie_word_embeddings": l.tied,
		"use_cache":           true,
	}
}
