package tokenizer

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on added tokens. Published files have some thousand at most.
const (
	maxAdded      = 1 << 16
	maxAddedBytes = 512     // of one
	maxAddedTotal = 1 << 20 // of all
)

// addedToken is a token that is looked for in the text before the model sees
// it, as tokenizer.json and tokenizer_config.json write one.
type addedToken struct {
	ID      int32  `json:"id"`
	Content string `json:"content"`
	// SingleWord wants no letter, digit or underscore beside it.
	SingleWord bool `json:"single_word"`
	// LStrip and RStrip take the white space before and after along.
	LStrip bool `json:"lstrip"`
	RStrip bool `json:"rstrip"`
	// Normalized looks for the normalized token in the normalized text.
	Normalized bool `json:"normalized"`
	// Special tokens can be left out when decoding.
	Special bool `json:"special"`
}

// addedTokens are the added tokens of a tokenizer.
type addedTokens struct {
	written         map[int32]string // by id: normalized ones as they are looked for
	ids             map[string]int32
	special         map[string]bool // by content, as decoding asks
	raw, normalized finder
}

// newAddedTokens makes tokens findable. Special ones come first where two
// are written the same after normalizing.
func newAddedTokens(list []addedToken, normalize normalizer) (*addedTokens, error) {
	if len(list) > maxAdded {
		return nil, fmt.Errorf("%d added tokens: at most %d are taken", len(list), maxAdded)
	}
	a := &addedTokens{written: map[int32]string{}, ids: map[string]int32{}, special: map[string]bool{}}
	byID := map[int32]addedToken{}
	total := 0
	for _, t := range list {
		if t.Content == "" {
			return nil, fmt.Errorf("added token %d is empty", t.ID)
		}
		if t.ID < 0 || t.ID > maxID {
			return nil, fmt.Errorf("added token %s has id %d: at most %d is taken", quote(t.Content), t.ID, maxID)
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
					return nil, fmt.Errorf("added token %s is empty or too long once it is normalized", quote(t.Content))
				}
			}
			into.add(content, t)
			a.written[t.ID] = content
		}
	}
	return a, nil
}

// finder looks for many tokens in a text at once: a tree of their bytes. Of
// those that begin at the same place the longest counts.
type finder struct {
	next   map[edge]int32 // node and byte to node; 0 is the root
	ends   map[int32]addedToken
	begins [256]bool
}

type edge struct {
	node int32
	by   byte
}

// add puts a token into the tree, unless there is one written the same.
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

// longest finds the longest token that text begins with.
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

// cutPart is a part of a text: an added token's if id is not none.
type cutPart struct {
	from, to int
	id       int32
}

// cut gives the parts of a text in order. A token that takes white space
// along never takes what another one before it has.
func (f *finder) cut(text string) iter.Seq[cutPart] {
	return func(yield func(cutPart) bool) {
		done := 0     // the end of what was given
		spaceEnd := 0 // the end of the white space that was looked through last
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
			if done < from && !yield(cutPart{done, from, none}) {
				return
			}
			if !yield(cutPart{from, to, token.ID}) {
				return
			}
			done = to
		}
		if done < len(text) {
			yield(cutPart{done, len(text), none})
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

// isWord is \w of Unicode's technical standard 18, annex C.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) ||
		unicode.In(r, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
