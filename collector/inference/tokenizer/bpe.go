package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a vocabulary: several times the largest published one.
const (
	maxID     = 1<<22 - 1
	maxMerges = 1 << 22
)

// bpeOptions are the options of tokenizer.json's model.
type bpeOptions struct {
	unknown      string // the token for characters without one, or ""
	fuseUnknown  bool   // one such token for a run of characters
	byteFallback bool   // spell such characters with tokens like <0x0A>
	ignoreMerges bool   // a piece that is a token is not merged from characters
}

// bpe is a byte-pair encoding: it merges neighbouring tokens, in the order in
// which the merges were learned, until no two neighbours can merge.
type bpe struct {
	bpeOptions
	vocab     map[string]int32
	tokens    []string // by ID
	has       []bool   // by ID, since IDs may have gaps
	merges    map[pair]mergeTo
	low       [utf8.RuneSelf * 4]int32 // by character: its token or none
	bytes     [256]int32               // by byte: the token like <0x0A>, or none
	unknownID int32
}

type pair struct{ left, right int32 }

// mergeTo is the result of merging a pair. Lower ranks merge first.
type mergeTo struct{ rank, id int32 }

// newBPE checks a vocabulary and its merges, which are pairs of tokens, and
// indexes them.
func newBPE(vocab map[string]int32, merges [][2]string, options bpeOptions) (*bpe, error) {
	m := &bpe{bpeOptions: options, vocab: vocab, merges: make(map[pair]mergeTo, len(merges)), unknownID: none}
	if len(vocab) > maxID+1 || len(merges) > maxMerges {
		return nil, fmt.Errorf("%d tokens and %d merges exceed the limits of %d and %d", len(vocab), len(merges), maxID+1, maxMerges)
	}
	highest := none
	for token, id := range vocab {
		if id < 0 || id > maxID {
			return nil, fmt.Errorf("token %s has ID %d, not 0 to %d", quote(token), id, maxID)
		}
		highest = max(highest, id)
	}
	m.tokens, m.has = make([]string, highest+1), make([]bool, highest+1)
	for token, id := range vocab {
		if m.has[id] {
			return nil, fmt.Errorf("tokens %s and %s have the same ID %d", quote(min(token, m.tokens[id])), quote(max(token, m.tokens[id])), id)
		}
		m.tokens[id], m.has[id] = token, true
	}
	for rank, parts := range merges {
		left, ok1 := vocab[parts[0]]
		right, ok2 := vocab[parts[1]]
		id, ok3 := vocab[parts[0]+parts[1]]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("merge %d of %s and %s: they and their result must be tokens", rank, quote(parts[0]), quote(parts[1]))
		}
		m.merges[pair{left, right}] = mergeTo{int32(rank), id}
	}
	return m, m.index()
}

// index fills the tables of characters and bytes.
func (m *bpe) index() error {
	for r := range m.low {
		m.low[r] = m.idOf(string(rune(r)))
	}
	for b := range m.bytes {
		m.bytes[b] = none
		if m.byteFallback {
			m.bytes[b] = m.idOf(fmt.Sprintf("<0x%02X>", b))
		}
	}
	if m.unknown == "" {
		return nil
	}
	if m.unknownID = m.idOf(m.unknown); m.unknownID == none {
		return fmt.Errorf("unk_token %s is not in the vocabulary", quote(m.unknown))
	}
	return nil
}

// idOf returns a token's ID or none.
func (m *bpe) idOf(token string) int32 {
	if id, ok := m.vocab[token]; ok {
		return id
	}
	return none
}

// token returns the text of a token in the vocabulary.
func (m *bpe) token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(m.tokens) || !m.has[id] {
		return "", false
	}
	return m.tokens[id], true
}

// encode appends the IDs of a piece to ids.
func (m *bpe) encode(work *merger, ids []int32, text string) []int32 {
	if m.ignoreMerges {
		if id, ok := m.vocab[text]; ok {
			return append(ids, id)
		}
	}
	m.start(work, text)
	work.merge(m.merges)
	return work.appendIDs(ids)
}

// start fills work with the tokens of a piece's characters. As in the tokenizers
// library, an unknown token is added just before the next known character, even
// after bytes that were spelled in between.
func (m *bpe) start(work *merger, text string) {
	work.reset()
	pending := false
	flush := func() {
		if pending {
			work.add(m.unknownID)
			pending = false
		}
	}
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRuneInString(text[at:])
		char := text[at : at+n]
		at += n
		id := none
		if int(r) < len(m.low) {
			id = m.low[r]
		} else {
			id = m.idOf(char)
		}
		switch {
		case id != none:
			flush()
			work.add(id)
		case m.spell(work, char):
		case m.unknownID == none:
		case m.fuseUnknown:
			pending = true
		default:
			flush()
			pending = true
		}
	}
	flush()
}

// spell adds the tokens of a character's bytes, if each has one.
func (m *bpe) spell(work *merger, char string) bool {
	for i := range len(char) {
		if m.bytes[char[i]] == none {
			return false
		}
	}
	for i := range len(char) {
		work.add(m.bytes[char[i]])
	}
	return true
}

// parseMerges reads merges.txt: two tokens per line, in the order of learning.
func parseMerges(text string) ([][2]string, error) {
	var merges [][2]string
	number := 0
	for line := range strings.Lines(strings.TrimRight(text, "\r\n")) {
		number++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if strings.HasPrefix(line, "#version") {
			continue
		}
		parts, err := splitMerge(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if merges = append(merges, parts); len(merges) > maxMerges {
			return nil, fmt.Errorf("more than %d merges", maxMerges)
		}
	}
	return merges, nil
}

// splitMerge splits two tokens separated by a space.
func splitMerge(line string) (parts [2]string, err error) {
	left, right, ok := strings.Cut(line, " ")
	if !ok || left == "" || right == "" || strings.Contains(right, " ") {
		return parts, fmt.Errorf("%s is not two tokens separated by a space", quote(line))
	}
	return [2]string{left, right}, nil
}
