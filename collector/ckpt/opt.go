package checkpoint

import "fmt"

// opt is Meta's OPT (Zhang et al., 2022) as transformers lays it out. Its
// output head is tied to its embedding.
type opt struct {
	hidden, layers, heads, ffn int64
	embed                      int64 // width of the embedding; projected where it is not hidden
	finalNorm                  bool  // norms before the blocks and after the last; else after each block
}

const (
	optVocab     = 50272
	optPositions = 2048
	// The position embedding begins two rows late, as in fairseq.
	optPositionOffset = 2
)

func (o opt) layout() []weight {
	const root = "model.decoder."
	embedding := root + "embed_tokens.weight"
	weights := []weight{
		{name: embedding, shape: []int64{optVocab, o.embed}},
		{name: root + "embed_positions.weight", shape: []int64{optPositions + optPositionOffset, o.hidden}},
	}
	if o.embed != o.hidden {
		weights = append(weights,
			weight{name: root + "project_out.weight", shape: []int64{o.embed, o.hidden}},
			weight{name: root + "project_in.weight", shape: []int64{o.hidden, o.embed}})
	}
	if o.finalNorm {
		weights = append(weights, affine(root+"final_layer_norm", norm, o.hidden)...)
	}
	for i := range o.layers {
		layer := fmt.Sprintf("%slayers.%d.", root, i)
		for _, name := range []string{"k_proj", "v_proj", "q_proj", "out_proj"} {
			weights = append(weights, affine(layer+"self_attn."+name, matrix, o.hidden, o.hidden)...)
		}
		weights = append(weights, affine(layer+"self_attn_layer_norm", norm, o.hidden)...)
		weights = append(weights, affine(layer+"fc1", matrix, o.ffn, o.hidden)...)
		weights = append(weights, affine(layer+"fc2", matrix, o.hidden, o.ffn)...)
		weights = append(weights, affine(layer+"final_layer_norm", norm, o.hidden)...)
	}
	return append(weights, weight{name: "lm_head.weight", shape: []int64{optVocab, o.embed}, tiedTo: embedding})
}

// affine is a weight and the bias that goes with it.
func affine(name string, kind weightKind, shape ...int64) []weight {
	return []weight{
		{name: name + ".weight", shape: shape, kind: kind},
		{name: name + ".bias", shape: shape[:1], kind: bias},
	}
}

func (o opt) config(dtype string) map[string]any {
	return map[string]any{
		"architectures":           []string{"OPTForCausalLM"},
		"model_type":              "opt",
		"torch_dtype":             dtype,
		"activation_function":     "relu",
		"hidden_size":             o.hidden,
		"num_hidden_layers":       o.layers,
		"num_attention_heads":     o.heads,
		"ffn_dim":                 o.ffn,
		"word_embed_proj_dim":     o.embed,
		"do_layer_norm_before":    o.finalNorm,
		"max_position_embeddings": optPositions,
		"vocab_size":              optVocab,
		"bos_token_id":            2,
		"eos_token_id":            2,
		"pad_token_id":            1,
		"tie_word_embeddings":     true,
	}
}
