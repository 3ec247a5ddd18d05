package checkpoint

import (
	"encoding/json"
	"fmt"
)

// firstByte is the ID of byte 0 in a synthetic model's tokenizer. Some families
// have their special tokens before it.
const firstByte = 3

// tinyTokenizer returns the files of a tokenizer for a synthetic model. It has a
// token for each byte, and the special tokens with the IDs in config.json, so it
// can encode any text whatever the vocabulary's size. IDs without a token decode
// to nothing.
//
// tokenizer.json has the format of Hugging Face's tokenizers library, whose
// byte_fallback spells unknown characters in bytes.
func tinyTokenizer(config []byte) ([]sidecar, error) {
	var model struct {
		ModelType string `json:"model_type"`
		Vocab     int    `json:"vocab_size"`
		BOS       int    `json:"bos_token_id"`
		EOS       int    `json:"eos_token_id"`
	}
	if err := json.Unmarshal(config, &model); err != nil {
		return nil, fmt.Errorf("make a tokenizer: config.json: %w", err)
	}
	vocab := make(map[string]int, 258)
	for b := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", b)] = firstByte + b
	}
	bos, eos := "<s>", "</s>"
	if model.BOS == model.EOS {
		bos = eos
	}
	vocab[bos], vocab[eos] = model.BOS, model.EOS
	type added struct {
		ID         int    `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	}
	special := []added{{ID: model.BOS, Content: bos, Special: true}}
	if eos != bos {
		special = append(special, added{ID: model.EOS, Content: eos, Special: true})
	}
	for _, s := range special {
		if s.ID < 0 || s.ID >= model.Vocab || firstByte <= s.ID && s.ID < firstByte+256 || model.Vocab < firstByte+256 {
			return nil, fmt.Errorf("make a tokenizer: ID %d of %s is outside a vocabulary of %d or belongs to a byte", s.ID, s.Content, model.Vocab)
		}
	}
	type object = map[string]any
	files := []sidecar{}
	for _, file := range []struct {
		name    string
		content object
	}{
		{"tokenizer.json", object{
			"version": "1.0", "truncation": nil, "padding": nil, "normalizer": nil, "pre_tokenizer": nil,
			"added_tokens": special,
			"post_processor": object{
				"type": "TemplateProcessing", "single": template(bos, model.ModelType, "A"), "pair": template(bos, model.ModelType, "A", "B"),
				"special_tokens": object{bos: object{"id": bos, "ids": []int{model.BOS}, "tokens": []string{bos}}},
			},
			"decoder": object{"type": "Sequence", "decoders": []object{{"type": "ByteFallback"}, {"type": "Fuse"}}},
			"model": object{
				"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
				"fuse_unk": false, "byte_fallback": true, "ignore_merges": false, "vocab": vocab, "merges": []string{},
			},
		}},
		{"tokenizer_config.json", object{
			// The class that uses tokenizer.json unchanged.
			"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": eos, "clean_up_tokenization_spaces": false,
		}},
	} {
		data, err := json.MarshalIndent(file.content, "", " ")
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", file.name, err)
		}
		files = append(files, newSidecar(file.name, append(data, '\n')))
	}
	return files, nil
}

// template returns the post-processor's template for one text or two. BOS
// precedes each, except in the Qwen family, which has no BOS.
func template(bos, modelType string, texts ...string) []any {
	var parts []any
	for i, text := range texts {
		if modelType != "qwen3" {
			parts = append(parts, map[string]any{"SpecialToken": map[string]any{"id": bos, "type_id": i}})
		}
		parts = append(parts, map[string]any{"Sequence": map[string]any{"id": text, "type_id": i}})
	}
	return parts
}
