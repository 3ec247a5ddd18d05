package tokenizer

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of added tokens. Published files have at most some thousand.
const (
	maxAdded      = 1 << 16
	maxAddedBytes = 512     // of one token
	maxAddedTotal = 1 << 20 // bytes of all tokens
)

// addedToken is a token that is matched in the text before the model encodes the
// rest, in the form of tokenizer.json and tokenizer_config.json.
type addedToken struct {
	ID      int32  `json:"id"`
	Content string `json:"content"`
	// SingleWord matches only without a letter, digit or underscore beside it.
	SingleWord bool `json:"single_word"`
	// LStrip and RStrip extend the match to the white space before and after.
	LStrip bool `json:"lstrip"`
	RStrip bool `json:"rstrip"`
	// Normalized matches the normalized token in the normalized text.
	Normalized bool `json:"normalized"`
	// Special tokens can be skipped when decoding.
	Special bool `json:"special"`
}

// addedTokens are the added tokens of a tokenizer.
type addedTokens struct {
	text            map[int32]string // by ID; normalized for tokens matched in normalized text
	ids             map[string]int32
	special         map[string]bool // by content
	raw, normalized finder
}

// newAddedTokens indexes added tokens. Of two with the same normalized text, it
// prefers a special one.
func newAddedTokens(list []addedToken, normalize normalizer) (*addedTokens, error) {
	if len(list) > maxAdded {
		return nil, fmt.Errorf("%d added tokens exceed the limit of %d", len(list), maxAdded)
	}
	a := &addedTokens{text: map[int32]string{}, ids: map[string]int32{}, special: map[string]bool{}}
	byID := map[int32]addedToken{}
	total := 0
	for _, t := range list {
		if t.Content == "" {
			return nil, fmt.Errorf("added token %d is empty", t.ID)
		}
		if t.ID < 0 || t.ID > maxID {
			return nil, fmt.Errorf("added token %s has ID %d, not 0 to %d", quote(t.Content), t.ID, maxID)
		}
		if total += len(t.Content); len(t.Content) > maxAddedBytes || total > maxAddedTotal {
			return nil, fmt.Errorf("added token %s is too long", quote(t.Content))
		}
		byID[t.ID] = t
		a.ids[t.Content] = t.ID
		if t.Special {
			a.special[t.Content] = true
		}
	}
	for _, special := range []bool{true, false} {
		for _, t := range list {
			if t.Special != special || byID[t.ID] != t {
				continue
			}
			content, into := t.Content, &a.raw
			if t.Normalized {
				into = &a.normalized
				if normalize != nil {
					var err error
					if content, err = normalize(content); err != nil {
						return nil, fmt.Errorf("normalize added token %s: %w", quote(t.Content), err)
					}
				}
				if content == "" || len(content) > 4*maxAddedBytes {
					return nil, fmt.Errorf("added token %s is empty or too long after normalization", quote(t.Content))
				}
			}
			into.add(content, t)
			a.text[t.ID] = content
		}
	}
	return a, nil
}

// finder finds many tokens in a text at once, with a trie of their bytes. Of
// matches at the same position, the longest wins.
type finder struct {
	next   map[edge]int32 // from a node and a byte to a node; 0 is the root
	ends   map[int32]addedToken
	begins [256]bool
}

type edge struct {
	node int32
	by   byte
}

// add adds a token to the trie, unless there is one with the same content.
func (f *finder) add(content string, t addedToken) {
	if f.next == nil {
		f.next, f.ends = map[edge]int32{}, map[int32]addedToken{}
	}
	f.begins[content[0]] = true
	var node int32
	for i := range len(content) {
		e := edge{node, content[i]}
		to, ok := f.next[e]
		if !ok {
			to = int32(len(f.next) + 1)
			f.next[e] = to
		}
		node = to
	}
	if _, taken := f.ends[node]; !taken {
		f.ends[node] = t
	}
}

// longest returns the longest token that text begins with, and its length in
// bytes, or 0.
func (f *finder) longest(text string) (found addedToken, length int) {
	var node int32
	for i := range len(text) {
		to, ok := f.next[edge{node, text[i]}]
		if !ok {
			break
		}
		node = to
		if t, ok := f.ends[node]; ok {
			found, length = t, i+1
		}
	}
	return found, length
}

// segment is a part of a text: an added token, or text between them if id is
// none.
type segment struct {
	from, to int
	id       int32
}

// cut yields the segments of a text in order. White space that two tokens could
// match belongs to the first.
func (f *finder) cut(text string) iter.Seq[segment] {
	return func(yield func(segment) bool) {
		done := 0     // the end of the last segment
		spaceEnd := 0 // the end of the last white space scanned, to scan it once
		for i := 0; i < len(text); {
			if !f.begins[text[i]] {
				i++
				continue
			}
			token, n := f.longest(text[i:])
			if n == 0 {
				i++
				continue
			}
			from, to := i, i+n
			i = to
			if token.SingleWord && (endsWithWord(text[:from]) || beginsWithWord(text[to:])) {
				continue
			}
			if token.LStrip {
				from = done + len(strings.TrimRightFunc(text[done:max(from, done)], unicode.IsSpace))
			}
			if token.RStrip {
				if to >= spaceEnd {
					spaceEnd = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
				}
				to = spaceEnd
			}
			if done < from && !yield(segment{done, from, none}) {
				return
			}
			if !yield(segment{from, to, token.ID}) {
				return
			}
			done = to
		}
		if done < len(text) {
			yield(segment{done, len(text), none})
		}
	}
}

func beginsWithWord(text string) bool {
	r, n := utf8.DecodeRuneInString(text)
	return n > 0 && isWord(r)
}

func endsWithWord(text string) bool {
	r, n := utf8.DecodeLastRuneInString(text)
	return n > 0 && isWord(r)
}

// isWord reports whether r matches \w of Unicode Technical Standard 18, annex C.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) ||
		unicode.In(r, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
