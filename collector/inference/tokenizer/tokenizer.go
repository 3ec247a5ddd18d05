// Package tokenizer turns text into the token ids of a language model and
// back, from the files that lie beside a checkpoint's weights.
//
// It reads tokenizer.json, the file of Hugging Face's tokenizers library, as
// far as the families OPT, Llama, Mistral, Qwen and Gemma use it: byte-pair
// encoding (Sennrich et al., arXiv:1508.07909) over bytes or over characters,
// with what stands before and after it. A folder without that file may have
// GPT-2's vocab.json and merges.txt. What a file asks for and this package
// does not do is refused by its name when the file is opened, so that no text
// is encoded wrongly without a word. What comes out is what the library
// gives, version 0.23, save for characters that are newer than Go's tables
// (Unicode 15.0), which an expression may tell apart otherwise.
package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxText bounds the bytes of a text that is encoded, and of what normalizing
// makes of it.
const maxText = 4 << 20

// Tokenizer encodes and decodes text. It never changes once it is open, so
// any number of goroutines may use it.
type Tokenizer struct {
	added       *addedTokens
	normalize   normalizer // nil for none
	preTokenize []preTokenizer
	model       *bpe
	prefix      []int32 // what special ids stand before a text
	suffix      []int32 // and after it
	decode      []decoder
	joinBySpace bool // there is no decoder, and tokens are words
	bos, eos    int32
	size        int
}

// none is an id that no token has.
const none int32 = -1

// piece is a part of the text on its way to the model.
type piece struct {
	text  string
	first bool // the part that the text begins with
}

// Encode gives the ids of a text's tokens; with addSpecial also those that
// the model expects before and after a text. Tokens such as </s> that are
// spelled out in the text are taken for what they are. A character that the
// vocabulary has no token for is left out if the file names no token for
// unknown ones, as the tokenizers library does.
//
// It fails if the text is not UTF-8 or too long.
func (t *Tokenizer) Encode(text string, addSpecial bool) ([]int32, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("encode a text of %d bytes: at most %d are taken", len(text), maxText)
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

// encodeRaw cuts out the added tokens that are looked for in the text as it
// is, normalizes what is between them, and cuts out the others.
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

// encodePlain encodes a part that has no added token in it.
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

// Decode gives the text of ids, without special tokens if skipSpecial is set.
// Ids that no token has are passed over, and bytes that are no UTF-8 become
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

// token is how a token is written, before it is decoded.
func (t *Tokenizer) token(id int32) (string, bool) {
	if content, ok := t.added.written[id]; ok {
		return content, true
	}
	return t.model.token(id)
}

// id finds a token by how it is written in the files.
func (t *Tokenizer) id(token string) (int32, bool) {
	if id, ok := t.added.ids[token]; ok {
		return id, true
	}
	id, ok := t.model.vocab[token]
	return id, ok
}

// BOS is the token that stands for a text's begin, if the files name one.
// Whether it is put before a text is another matter: Encode knows.
func (t *Tokenizer) BOS() (id int32, ok bool) { return t.bos, t.bos != none }

// EOS is the token that stands for a text's end, if the files name one. A
// model's generation_config.json may name further ones.
func (t *Tokenizer) EOS() (id int32, ok bool) { return t.eos, t.eos != none }

// Size is one more than the highest id.
func (t *Tokenizer) Size() int { return t.size }

// invalidAt is the first byte that is no part of a character.
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
