package checkpoint

import "fmt"

// llama is the family of Llama and of those that changed little of it: Qwen3
// norms the heads of queries and keys.
type llama struct {
	kind                                  string // transformers' model_type: llama, qwen3
	hidden, layers, heads, kvHeads        int64
	headDim, ffn, vocab, positions, theta int64
	epsilon                               float64
	tied                                  bool // the output head is the embedding
}

func (l llama) layout() []weight {
	const embedding = "model.embed_tokens.weight"
	weights := []weight{{name: embedding, shape: []int64{l.vocab, l.hidden}}}
	for i := range l.layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		attention, mlp := layer+"self_attn.", layer+"mlp."
		weights = append(weights,
			weight{name: attention + "q_proj.weight", shape: []int64{l.heads * l.headDim, l.hidden}},
			weight{name: attention + "k_proj.weight", shape: []int64{l.kvHeads * l.headDim, l.hidden}},
			weight{name: attention + "v_proj.weight", shape: []int64{l.kvHeads * l.headDim, l.hidden}},
			weight{name: attention + "o_proj.weight", shape: []int64{l.hidden, l.heads * l.headDim}})
		if l.kind == "qwen3" {
			weights = append(weights,
				weight{name: attention + "q_norm.weight", shape: []int64{l.headDim}, kind: norm},
				weight{name: attention + "k_norm.weight", shape: []int64{l.headDim}, kind: norm})
		}
		weights = append(weights,
			weight{name: mlp + "gate_proj.weight", shape: []int64{l.ffn, l.hidden}},
			weight{name: mlp + "up_proj.weight", shape: []int64{l.ffn, l.hidden}},
			weight{name: mlp + "down_proj.weight", shape: []int64{l.hidden, l.ffn}},
			weight{name: layer + "input_layernorm.weight", shape: []int64{l.hidden}, kind: norm},
			weight{name: layer + "post_attention_layernorm.weight", shape: []int64{l.hidden}, kind: norm})
	}
	weights = append(weights, weight{name: "model.norm.weight", shape: []int64{l.hidden}, kind: norm})
	head := weight{name: "lm_head.weight", shape: []int64{l.vocab, l.hidden}}
	if l.tied {
		head.tiedTo = embedding
	}
	return append(weights, head)
}

func (l llama) config(dtype string) map[string]any {
	class := map[string]string{"llama": "LlamaForCausalLM", "qwen3": "Qwen3ForCausalLM"}[l.kind]
	return map[string]any{
		"architectures":           []string{class},
		"model_type":              l.kind,
		"torch_dtype":             dtype,
		"hidden_act":              "silu",
		"hidden_size":             l.hidden,
		"num_hidden_layers":       l.layers,
		"num_attention_heads":     l.heads,
		"num_key_value_heads":     l.kvHeads,
		"head_dim":                l.headDim,
		"intermediate_size":       l.ffn,
		"max_position_embeddings": l.positions,
		"rms_norm_eps":            l.epsilon,
		"rope_theta":              l.theta,
		"vocab_size":              l.vocab,
		"tie_word_embeddings":     l.tied,
	}
}
