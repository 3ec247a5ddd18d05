package checkpoint

import "fmt"

// opt is the family of Zhang et al., "OPT: Open Pre-trained Transformer
// Language Models" (arXiv:2205.01068), as OPTForCausalLM names its tensors.
type opt struct {
	hidden, embed, ffn, layers, heads int64
	// postNorm is set for opt-350m, which has norms after each sublayer and none
	// at the end.
	postNorm bool
}

// Sizes that all models of the family share. The table of positions begins with
// two extra rows, which padding used to index.
const (
	optVocab        = 50272
	optPositions    = 2048
	optPositionRows = optPositions + 2
)

func (o opt) weights() []weight {
	const root = "model.decoder."
	list := []weight{
		linear(root+"embed_tokens", optVocab, o.embed),
		linear(root+"embed_positions", optPositionRows, o.hidden),
	}
	if o.embed != o.hidden {
		list = append(list,
			linear(root+"project_out", o.embed, o.hidden),
			linear(root+"project_in", o.hidden, o.embed))
	}
	if !o.postNorm {
		list = append(list, layerNorm(root+"final_layer_norm", o.hidden)...)
	}
	for i := range o.layers {
		layer := fmt.Sprintf("%slayers.%d.", root, i)
		for _, p := range []string{"k_proj", "v_proj", "q_proj", "out_proj"} {
			list = append(list, linearBias(layer+"self_attn."+p, o.hidden, o.hidden)...)
		}
		list = append(list, layerNorm(layer+"self_attn_layer_norm", o.hidden)...)
		list = append(list, linearBias(layer+"fc1", o.ffn, o.hidden)...)
		list = append(list, linearBias(layer+"fc2", o.hidden, o.ffn)...)
		list = append(list, layerNorm(layer+"final_layer_norm", o.hidden)...)
	}
	return append(list, head(optVocab, o.embed, root+"embed_tokens.weight"))
}

func (o opt) config(d DType) any {
	return map[string]any{
		"architectures":            []string{"OPTForCausalLM"},
		"model_type":               "opt",
		"torch_dtype":              d.String(),
		"vocab_size":               optVocab,
		"max_position_embeddings":  optPositions,
		"hidden_size":              o.hidden,
		"word_embed_proj_dim":      o.embed,
		"ffn_dim":                  o.ffn,
		"num_hidden_layers":        o.layers,
		"num_attention_heads":      o.heads,
		"do_layer_norm_before":     !o.postNorm,
		"activation_function":      "relu",
		"dropout":                  0.1,
		"attention_dropout":        0.0,
		"init_std":                 0.02,
		"bos_token_id":             2,
		"eos_token_id":             2,
		"pad_token_id":             1,
		"tie_word_embeddings":      true,
		"use_cache":                true,
		"_remove_final_layer_norm": false,
	}
}
