package tokenizer

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
)

// settings is what the files beside the vocabulary say: tokenizer_config.json,
// and in older folders special_tokens_map.json and added_tokens.json.
type settings struct {
	Class          string                `json:"tokenizer_class"`
	AddBOS         bool                  `json:"add_bos_token"`
	AddEOS         bool                  `json:"add_eos_token"`
	AddPrefixSpace bool                  `json:"add_prefix_space"`
	Added          map[string]addedToken `json:"added_tokens_decoder"` // by id
	namedTokens
}

// namedTokens are the special tokens that have a part to play.
type namedTokens struct {
	BOS namedToken `json:"bos_token"`
	EOS namedToken `json:"eos_token"`
	UNK namedToken `json:"unk_token"`
	PAD namedToken `json:"pad_token"`
}

func (n *namedTokens) list() []*namedToken {
	return []*namedToken{&n.BOS, &n.EOS, &n.UNK, &n.PAD}
}

// namedToken is a special token, written as a text or with its properties.
// Its content is empty if there is none.
type namedToken struct{ addedToken }

// UnmarshalJSON is json.Unmarshaler's.
func (n *namedToken) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" || string(raw) == "false" {
		return nil
	}
	if raw[0] == '"' {
		return json.Unmarshal(raw, &n.Content)
	}
	return json.Unmarshal(raw, &n.addedToken)
}

// modelConfig is what config.json says of tokens.
type modelConfig struct {
	ModelType string   `json:"model_type"`
	BOS       firstInt `json:"bos_token_id"`
	EOS       firstInt `json:"eos_token_id"`
}

// firstInt is a number, or the first of a list; nil if there is none.
type firstInt struct{ value *int32 }

// UnmarshalJSON is json.Unmarshaler's.
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

// name settles which tokens are BOS and EOS: by their names, else by the
// numbers in config.json, if there are such tokens.
func (t *Tokenizer) name(named namedTokens, config modelConfig) {
	for _, role := range []struct {
		is    *int32
		named namedToken
		id    firstInt
	}{{&t.bos, named.BOS, config.BOS}, {&t.eos, named.EOS, config.EOS}} {
		if role.named.Content != "" {
			if id, ok := t.id(role.named.Content); ok {
				*role.is = id
			}
		} else if role.id.value != nil {
			if _, ok := t.token(*role.id.value); ok {
				*role.is = *role.id.value
			}
		}
	}
}

// addNamed adds the named tokens that the vocabulary has to the added ones,
// as special tokens. Those that are no tokens of the model are left out:
// transformers would give them ids that the model has no embedding for.
func (d *definition) addNamed(named namedTokens) {
	have := map[string]bool{}
	for _, a := range d.AddedTokens {
		have[a.Content] = true
	}
	for _, n := range named.list() {
		id, ok := d.Model.Vocab[n.Content]
		if n.Content == "" || !ok || have[n.Content] {
			continue
		}
		have[n.Content] = true
		token := n.addedToken
		token.ID, token.Special = id, true
		d.AddedTokens = append(d.AddedTokens, token)
	}
}

// addListed adds the tokens of added_tokens_decoder, which go by their ids
// in decimal, and those of added_tokens.json.
func (d *definition) addListed(s settings, older map[string]int32) error {
	have := map[string]bool{}
	for number, token := range s.Added {
		id, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			return unsupported("the id", number)
		}
		token.ID = int32(id)
		have[token.Content] = true
		d.AddedTokens = append(d.AddedTokens, token)
	}
	for content, id := range older {
		if !have[content] {
			d.AddedTokens = append(d.AddedTokens, addedToken{ID: id, Content: content, Normalized: true})
		}
	}
	slices.SortFunc(d.AddedTokens, func(a, b addedToken) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Content, b.Content)) })
	return nil
}
