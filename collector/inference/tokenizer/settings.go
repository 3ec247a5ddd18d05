package tokenizer

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
)

// settings is the content of tokenizer_config.json; in older folders, parts of
// it are in special_tokens_map.json and added_tokens.json.
type settings struct {
	Class          string                `json:"tokenizer_class"`
	AddBOS         bool                  `json:"add_bos_token"`
	AddEOS         bool                  `json:"add_eos_token"`
	AddPrefixSpace bool                  `json:"add_prefix_space"`
	Added          map[string]addedToken `json:"added_tokens_decoder"` // by ID
	namedTokens
}

// namedTokens are the special tokens with a role.
type namedTokens struct {
	BOS namedToken `json:"bos_token"`
	EOS namedToken `json:"eos_token"`
	UNK namedToken `json:"unk_token"`
	PAD namedToken `json:"pad_token"`
}

func (n *namedTokens) list() []*namedToken {
	return []*namedToken{&n.BOS, &n.EOS, &n.UNK, &n.PAD}
}

// namedToken is a special token, in JSON a string or an object with its
// properties. Its content is empty if there is none.
type namedToken struct{ addedToken }

// UnmarshalJSON implements json.Unmarshaler.
func (n *namedToken) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" || string(raw) == "false" {
		return nil
	}
	if raw[0] == '"' {
		return json.Unmarshal(raw, &n.Content)
	}
	return json.Unmarshal(raw, &n.addedToken)
}

// modelConfig is the part of config.json about tokens.
type modelConfig struct {
	ModelType string   `json:"model_type"`
	BOS       firstInt `json:"bos_token_id"`
	EOS       firstInt `json:"eos_token_id"`
}

// firstInt is a number or the first of a list; value is nil if there is none.
type firstInt struct{ value *int32 }

// UnmarshalJSON implements json.Unmarshaler.
func (f *firstInt) UnmarshalJSON(raw []byte) error {
	var list []int32
	if raw[0] != '[' {
		return json.Unmarshal(raw, &f.value)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list) > 0 {
		f.value = &list[0]
	}
	return nil
}

// setEnds sets BOS and EOS: by name, or else by the IDs in config.json. It
// ignores those that are not tokens.
func (t *Tokenizer) setEnds(named namedTokens, config modelConfig) {
	for _, end := range []struct {
		id     *int32
		named  namedToken
		config firstInt
	}{{&t.bos, named.BOS, config.BOS}, {&t.eos, named.EOS, config.EOS}} {
		if end.named.Content != "" {
			if id, ok := t.id(end.named.Content); ok {
				*end.id = id
			}
		} else if end.config.value != nil {
			if _, ok := t.token(*end.config.value); ok {
				*end.id = *end.config.value
			}
		}
	}
}

// addNamed adds the named tokens in the vocabulary to the added tokens, as
// special tokens. It ignores others: transformers would give them IDs for which
// the model has no embedding.
func (d *definition) addNamed(named namedTokens) {
	seen := map[string]bool{}
	for _, a := range d.AddedTokens {
		seen[a.Content] = true
	}
	for _, n := range named.list() {
		id, ok := d.Model.Vocab[n.Content]
		if n.Content == "" || !ok || seen[n.Content] {
			continue
		}
		seen[n.Content] = true
		token := n.addedToken
		token.ID, token.Special = id, true
		d.AddedTokens = append(d.AddedTokens, token)
	}
}

// addListed adds the tokens of added_tokens_decoder, whose keys are decimal IDs,
// and those of added_tokens.json.
func (d *definition) addListed(s settings, older map[string]int32) error {
	seen := map[string]bool{}
	for number, token := range s.Added {
		id, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			return unsupported("ID", number)
		}
		token.ID = int32(id)
		seen[token.Content] = true
		d.AddedTokens = append(d.AddedTokens, token)
	}
	for content, id := range older {
		if !seen[content] {
			d.AddedTokens = append(d.AddedTokens, addedToken{ID: id, Content: content, Normalized: true})
		}
	}
	slices.SortFunc(d.AddedTokens, func(a, b addedToken) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Content, b.Content)) })
	return nil
}
