package inference

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/internal/pyjson"
)

// irrelevant are the settings of config.json that do not change what a trained
// model computes: metadata, training, and what others than the network use.
const irrelevant = ` _attn_implementation _attn_implementation_autoset _flash_attn_2_enabled _name_or_path
	activation_dropout attention_dropout attn_implementation bos_token_id cache_implementation chunk_size_feed_forward
	dropout dtype eos_token_id finetuning_task gradient_checkpointing id2label init_std initializer_range label2id
	layerdrop name_or_path output_attentions output_hidden_states pad_token_id prefix pretraining_tp problem_type
	return_dict task_specific_params time_step_floor time_step_limit time_step_max time_step_min tokenizer_class
	torch_dtype torchscript transformers_version unk_token_id unsloth_fixed unsloth_version use_bfloat16 use_cache `

// computed are the settings that this package implements for all architectures,
// or checks.
const computed = ` architectures ffn_dim head_dim hidden_size intermediate_size max_position_embeddings
	num_attention_heads num_hidden_layers num_key_value_heads tie_word_embeddings vocab_size `

// computedBy are those of an architecture alone, and modelType its model_type:
// transformers chooses the class by the latter.
func computedBy(architecture string) (modelType, settings string) {
	const rotary = ` hidden_act rms_norm_eps rope_theta rope_scaling rope_parameters `
	switch architecture {
	case "OPTForCausalLM":
		return "opt", ` activation_function do_layer_norm_before _remove_final_layer_norm word_embed_proj_dim `
	case "LlamaForCausalLM":
		return "llama", rotary + ` attention_bias mlp_bias `
	case "MistralForCausalLM":
		return "mistral", rotary + ` sliding_window `
	case "Qwen2ForCausalLM":
		return "qwen2", rotary + ` sliding_window use_sliding_window max_window_layers layer_types `
	case "Qwen3ForCausalLM":
		return "qwen3", rotary + ` attention_bias sliding_window use_sliding_window max_window_layers layer_types `
	case "Gemma2ForCausalLM":
		return "gemma2", rotary + ` hidden_activation query_pre_attn_scalar attn_logit_softcapping final_logit_softcapping
			sliding_window sliding_window_size layer_types `
	}
	return "", ""
}

// fixed returns the only value that the package implements for a setting, and
// false if there is no such setting.
func fixed(name string) (value string, ok bool) {
	switch name {
	case "attention_bias", "mlp_bias", "is_encoder_decoder", "use_mrope", "rope_interleaved", "use_bidirectional_attention", "add_cross_attention", "is_decoder", "use_sliding_window":
		return "false", true
	case "enable_bias", "layer_norm_elementwise_affine":
		return "true", true
	case "partial_rotary_factor":
		return "1", true
	}
	return "", false
}

// checkSettings refuses a config.json with a setting that would change the
// computation, and that this package does not implement. null is the default.
func checkSettings(architecture string, configJSON []byte) error {
	var all map[string]json.RawMessage
	if err := pyjson.Unmarshal(configJSON, &all); err != nil {
		return fmt.Errorf("read config.json: %w", err)
	}
	modelType, own := computedBy(architecture)
	known := strings.Fields(irrelevant + computed + own)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value := string(all[name])
		only, isFixed := fixed(name)
		switch {
		case value == "null", slices.Contains(known, name):
		case isFixed && (value == only || value == only+".0"):
		case name == "model_type" && value == `"`+modelType+`"`:
		default:
			return &UnsupportedError{fmt.Sprintf("this model: config.json sets %s, which sllmq's runner does not implement", setting(name, value))}
		}
	}
	for _, group := range []string{"rope_scaling", "rope_parameters"} {
		var parameters map[string]json.RawMessage
		if all[group] == nil {
			continue
		}
		if err := json.Unmarshal(all[group], &parameters); err != nil {
			return fmt.Errorf("read config.json: %s: %w", group, err)
		}
		for _, name := range slices.Sorted(maps.Keys(parameters)) {
			value := string(parameters[name])
			switch name {
			case "rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings":
				continue
			}
			if only, ok := fixed(name); value != "null" && !(ok && (value == only || value == only+".0")) {
				return &UnsupportedError{fmt.Sprintf("this model: config.json sets %s in %s, which sllmq's runner does not implement", setting(name, value), group)}
			}
		}
	}
	return nil
}

// setting describes a setting, with its value if that is short.
func setting(name, value string) string {
	if len(value) > 40 || strings.ContainsAny(value, "{[\n") {
		return quote(name)
	}
	return quote(name) + " to " + string(pyjson.Restore([]byte(value)))
}

// checkCombinations refuses settings that the package implements only together
// with others.
func (c *config) checkCombinations() error {
	unsupported := func(what string) error {
		return &UnsupportedError{"this model: config.json sets " + what + ", which sllmq's runner does not implement"}
	}
	tied := c.TieEmbeddings == nil || *c.TieEmbeddings
	switch c.architecture {
	case "OPTForCausalLM", "Gemma2ForCausalLM":
		if !tied {
			return unsupported(`"tie_word_embeddings" to false`)
		}
	case "Qwen2ForCausalLM", "Qwen3ForCausalLM":
		uses := c.UseSliding != nil && *c.UseSliding
		if uses && len(c.LayerTypes) == 0 {
			return unsupported(`"use_sliding_window" to true without "layer_types"`)
		}
		if !uses && slices.Contains(c.LayerTypes, "sliding_attention") {
			return unsupported(`"layer_types" with "sliding_attention" but not "use_sliding_window"`)
		}
	}
	for _, kind := range c.LayerTypes {
		if kind != "sliding_attention" && kind != "full_attention" {
			return unsupported("a layer's type to " + quote(kind))
		}
	}
	return nil
}
