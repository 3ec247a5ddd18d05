package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// definition is the content of tokenizer.json. As in transformers, its truncation
// and padding are ignored.
type definition struct {
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         modelDefinition `json:"model"`
}

type modelDefinition struct {
	Type          string           `json:"type"`
	Vocab         map[string]int32 `json:"vocab"`
	Merges        mergeList        `json:"merges"`
	Dropout       *float64         `json:"dropout"`
	UnkToken      *string          `json:"unk_token"`
	SubwordPrefix *string          `json:"continuing_subword_prefix"`
	WordSuffix    *string          `json:"end_of_word_suffix"`
	FuseUnk       bool             `json:"fuse_unk"`
	ByteFallback  bool             `json:"byte_fallback"`
	IgnoreMerges  bool             `json:"ignore_merges"`
}

// mergeList reads merges in the form of older files, "a b", and of newer ones,
// ["a", "b"].
type mergeList [][2]string

// UnmarshalJSON implements json.Unmarshaler.
func (l *mergeList) UnmarshalJSON(raw []byte) error {
	inner := bytes.TrimLeft(bytes.TrimPrefix(bytes.TrimSpace(raw), []byte("[")), " \t\r\n")
	if !bytes.HasPrefix(inner, []byte(`"`)) {
		var pairs [][]string
		if err := json.Unmarshal(raw, &pairs); err != nil {
			return err
		}
		for i, p := range pairs {
			if len(p) != 2 {
				return fmt.Errorf("merge %d has %d tokens instead of two", i, len(p))
			}
			*l = append(*l, [2]string{p[0], p[1]})
		}
		return nil
	}
	var lines []string
	if err := json.Unmarshal(raw, &lines); err != nil {
		return err
	}
	for i, line := range lines {
		parts, err := splitMerge(line)
		if err != nil {
			return fmt.Errorf("merge %d: %w", i, err)
		}
		*l = append(*l, parts)
	}
	return nil
}

// parseDefinition reads tokenizer.json. Package json limits nesting to 10,000;
// readComponents limits it to maxDepth.
func parseDefinition(data []byte) (*definition, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	var d definition
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	return &d, nil
}

// build returns the tokenizer of a definition.
func (d *definition) build() (*Tokenizer, error) {
	model, err := d.Model.build()
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	t := &Tokenizer{model: model, bos: none, eos: none}
	if t.normalize, err = newNormalizer(d.Normalizer); err != nil {
		return nil, err
	}
	if err := d.checkAddedIDs(); err != nil {
		return nil, err
	}
	if t.added, err = newAddedTokens(d.AddedTokens, t.normalize); err != nil {
		return nil, err
	}
	if t.preTokenize, err = newPreTokenizers(d.PreTokenizer); err != nil {
		return nil, err
	}
	if t.decode, err = newDecoders(d.Decoder); err != nil {
		return nil, err
	}
	t.joinBySpace = isNull(d.Decoder)
	if t.prefix, t.suffix, err = readProcessors(d.PostProcessor); err != nil {
		return nil, err
	}
	t.size = len(model.tokens)
	for id := range t.added.text {
		t.size = max(t.size, int(id)+1)
	}
	for _, id := range append(append([]int32{}, t.prefix...), t.suffix...) {
		if _, ok := t.token(id); !ok {
			return nil, fmt.Errorf("post_processor: no token has ID %d", id)
		}
	}
	return t, nil
}

// checkAddedIDs checks that added tokens have the IDs that the tokenizers library
// gives them, which ignores those in the file: the ID in the vocabulary, or else
// the next free one.
func (d *definition) checkAddedIDs() error {
	next := int32(len(d.Model.Vocab))
	for _, a := range d.AddedTokens {
		id, ok := d.Model.Vocab[a.Content]
		if !ok {
			id = next
		}
		if id != a.ID {
			return fmt.Errorf("added token %s has ID %d, but the tokenizers library gives it %d", quote(a.Content), a.ID, id)
		}
		next = max(next, id+1)
	}
	return nil
}

func (d *modelDefinition) build() (*bpe, error) {
	switch {
	case d.Type != "BPE" && (d.Type != "" || d.Merges == nil): // the oldest files name no type
		return nil, unsupported("type", d.Type)
	case d.Dropout != nil && *d.Dropout != 0:
		return nil, errors.New("dropout is not supported")
	case d.SubwordPrefix != nil && *d.SubwordPrefix != "":
		return nil, unsupported("continuing_subword_prefix", *d.SubwordPrefix)
	case d.WordSuffix != nil && *d.WordSuffix != "":
		return nil, unsupported("end_of_word_suffix", *d.WordSuffix)
	case len(d.Vocab) == 0:
		return nil, errors.New("the vocabulary is empty")
	}
	options := bpeOptions{fuseUnknown: d.FuseUnk, byteFallback: d.ByteFallback, ignoreMerges: d.IgnoreMerges}
	if d.UnkToken != nil {
		options.unknown = *d.UnkToken
	}
	return newBPE(d.Vocab, d.Merges, options)
}
