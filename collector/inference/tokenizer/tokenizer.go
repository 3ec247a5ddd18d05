// Package tokenizer converts text to the token IDs of a language model and back,
// using the files beside a checkpoint's weights.
//
// It reads tokenizer.json, the format of Hugging Face's tokenizers library, to
// the extent that the families OPT, Llama, Mistral, Qwen and Gemma use it. Such a
// tokenizer is a pipeline: it matches added tokens, normalizes the text between
// them, splits it into pieces (pre-tokenization), encodes each piece by byte-pair
// encoding over bytes or characters (Sennrich et al., arXiv:1508.07909), and adds
// special tokens around the result (post-processing). A folder without
// tokenizer.json may have GPT-2's vocab.json and merges.txt instead.
//
// Open refuses files with unsupported features, rather than encode text wrongly.
// Results equal those of version 0.23 of the library, except that expressions may
// treat characters differently that are newer than Go's tables (Unicode 15.0).
package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxText bounds the size in bytes of a text, before and after normalization.
const maxText = 4 << 20

// Tokenizer encodes and decodes text. It is immutable and safe for concurrent
// use.
type Tokenizer struct {
	added       *addedTokens
	normalize   normalizer // nil for none
	preTokenize []preTokenizer
	model       *bpe
	prefix      []int32 // special IDs before a text
	suffix      []int32 // and after it
	decode      []decoder
	joinBySpace bool // join tokens by spaces, because there is no decoder
	bos, eos    int32
	size        int
}

// none is not the ID of any token.
const none int32 = -1

// piece is a part of a text that is encoded by itself.
type piece struct {
	text  string
	first bool // the text begins with it
}

// Encode returns the token IDs of a text. If addSpecial is set, they include the
// special tokens that the model expects before and after a text. Added tokens
// such as </s> in the text become single tokens. As in the tokenizers library,
// characters without a token are dropped if there is no token for unknown
// characters.
//
// The error reports a text that is not UTF-8, or too long.
func (t *Tokenizer) Encode(text string, addSpecial bool) ([]int32, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("encode a text of %d bytes: the limit is %d", len(text), maxText)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("encode a text: byte %d is not UTF-8", invalidAt(text))
	}
	ids := make([]int32, 0, len(text)/3+8)
	if addSpecial {
		ids = append(ids, t.prefix...)
	}
	ids, err := t.encodeRaw(ids, text)
	if err != nil {
		return nil, fmt.Errorf("encode a text of %d bytes: %w", len(text), err)
	}
	if addSpecial {
		ids = append(ids, t.suffix...)
	}
	return ids, nil
}

// encodeRaw matches added tokens in the original text, normalizes the text
// between them, and matches added tokens in the normalized text.
func (t *Tokenizer) encodeRaw(ids []int32, text string) ([]int32, error) {
	for part := range t.added.raw.cut(text) {
		if part.id != none {
			ids = append(ids, part.id)
			continue
		}
		between := text[part.from:part.to]
		if t.normalize != nil {
			var err error
			if between, err = t.normalize(between); err != nil {
				return nil, err
			}
		}
		for inner := range t.added.normalized.cut(between) {
			if inner.id != none {
				ids = append(ids, inner.id)
				continue
			}
			var err error
			first := part.from == 0 && inner.from == 0
			if ids, err = t.encodePlain(ids, piece{between[inner.from:inner.to], first}); err != nil {
				return nil, err
			}
		}
	}
	return ids, nil
}

// encodePlain encodes a normalized part without added tokens.
func (t *Tokenizer) encodePlain(ids []int32, p piece) ([]int32, error) {
	if p.text == "" {
		return ids, nil
	}
	pieces := []piece{p}
	for _, pre := range t.preTokenize {
		var err error
		if pieces, err = pre(pieces); err != nil {
			return nil, err
		}
	}
	var m merger
	for _, p := range pieces {
		ids = t.model.encode(&m, ids, p.text)
	}
	return ids, nil
}

// Decode returns the text of token IDs, without special tokens if skipSpecial is
// set. It ignores IDs without a token, and replaces bytes that are not UTF-8 by
// U+FFFD.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		token, ok := t.token(id)
		if !ok || skipSpecial && t.added.special[token] {
			continue
		}
		tokens = append(tokens, token)
	}
	if t.joinBySpace {
		return strings.Join(tokens, " ")
	}
	for _, d := range t.decode {
		tokens = d(tokens)
	}
	return strings.Join(tokens, "")
}

// token returns the encoded text of a token.
func (t *Tokenizer) token(id int32) (string, bool) {
	if content, ok := t.added.text[id]; ok {
		return content, true
	}
	return t.model.token(id)
}

// id returns the ID of a token by its text in the files.
func (t *Tokenizer) id(token string) (int32, bool) {
	if id, ok := t.added.ids[token]; ok {
		return id, true
	}
	id, ok := t.model.vocab[token]
	return id, ok
}

// BOS returns the beginning-of-text token, if the files name one. Encode may or
// may not add it to a text.
func (t *Tokenizer) BOS() (id int32, ok bool) { return t.bos, t.bos != none }

// EOS returns the end-of-text token, if the files name one. A model's
// generation_config.json may name others.
func (t *Tokenizer) EOS() (id int32, ok bool) { return t.eos, t.eos != none }

// Size returns the highest ID plus one.
func (t *Tokenizer) Size() int { return t.size }

// invalidAt returns the offset of the first byte that is not UTF-8.
func invalidAt(text string) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(text)
}
