package checkpoint

import (
	"encoding/json"
	"fmt"
)

// firstByte is the id of byte 0 in a made-up model's tokenizer. It leaves
// room for the special tokens of the families that have them first.
const firstByte = 3

// tinyTokenizer gives the files of a tokenizer for a made-up model: a token
// for each byte, and those that config.json names by their ids. So any text
// can be encoded, whatever the vocabulary's size; the ids that no token has
// decode to nothing.
//
// tokenizer.json is in the form of Hugging Face's tokenizers library, whose
// byte_fallback spells a character that is no token in bytes.
func tinyTokenizer(config []byte) ([]sidecar, error) {
	var says struct {
		ModelType string `json:"model_type"`
		Vocab     int    `json:"vocab_size"`
		BOS       int    `json:"bos_token_id"`
		EOS       int    `json:"eos_token_id"`
	}
	if err := json.Unmarshal(config, &says); err != nil {
		return nil, fmt.Errorf("make a tokenizer: config.json: %w", err)
	}
	vocab := make(map[string]int, 258)
	for b := range 256 {
		vocab[fmt.Sprintf("<0x%02X>", b)] = firstByte + b
	}
	bos, eos := "<s>", "</s>"
	if says.BOS == says.EOS {
		bos = eos
	}
	vocab[bos], vocab[eos] = says.BOS, says.EOS
	type added struct {
		ID         int    `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	}
	special := []added{{ID: says.BOS, Content: bos, Special: true}}
	if eos != bos {
		special = append(special, added{ID: says.EOS, Content: eos, Special: true})
	}
	for _, s := range special {
		if s.ID < 0 || s.ID >= says.Vocab || firstByte <= s.ID && s.ID < firstByte+256 || says.Vocab < firstByte+256 {
			return nil, fmt.Errorf("make a tokenizer: %s has id %d in a vocabulary of %d, where bytes are", s.Content, s.ID, says.Vocab)
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
				"type": "TemplateProcessing", "single": around(bos, says.ModelType, "A"), "pair": around(bos, says.ModelType, "A", "B"),
				"special_tokens": object{bos: object{"id": bos, "ids": []int{says.BOS}, "tokens": []string{bos}}},
			},
			"decoder": object{"type": "Sequence", "decoders": []object{{"type": "ByteFallback"}, {"type": "Fuse"}}},
			"model": object{
				"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
				"fuse_unk": false, "byte_fallback": true, "ignore_merges": false, "vocab": vocab, "merges": []string{},
			},
		}},
		{"tokenizer_config.json", object{
			// The class that takes tokenizer.json as it is.
			"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": eos, "clean_up_tokenization_spaces": false,
		}},
	} {
		data, err := json.MarshalIndent(file.content, "", " ")
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", file.name, err)
		}
		data = append(data, '\n')
		files = append(files, sidecar{name: file.name, size: int64(len(data)), data: data})
	}
	return files, nil
}

// around is the template of a text, or of two: each after BOS, save in the
// Qwen family, which has none.
func around(bos, modelType string, texts ...string) []any {
	var parts []any
	for i, text := range texts {
		if modelType != "qwen3" {
			parts = append(parts, map[string]any{"SpecialToken": map[string]any{"id": bos, "type_id": i}})
		}
		parts = append(parts, map[string]any{"Sequence": map[string]any{"id": text, "type_id": i}})
	}
	return parts
}
