package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds on a vocabulary: several times the largest that is published.
const (
	maxID     = 1<<22 - 1
	maxMerges = 1 << 22
)

// bpeOptions are the rules that tokenizer.json's model gives beside its
// vocabulary and merges.
type bpeOptions struct {
	unknown      string // the token for characters that have none; "" for none
	fuseUnknown  bool   // one token for a run of them
	byteFallback bool   // such characters are spelled in tokens as <0x0A>
	ignoreMerges bool   // a piece that is a token is taken whole
}

// bpe is the model: it merges neighbours, those that were learned first
// first, until no two of them are a token.
type bpe struct {
	bpeOptions
	vocab     map[string]int32
	tokens    []string // by id
	has       []bool   // by id, since ids may leave gaps
	merges    map[pair]mergeTo
	ascii     [utf8.RuneSelf * 4]int32 // the tokens of low characters, none if there is none
	bytes     [256]int32               // the tokens as <0x0A>, none if there is none
	unknownID int32
}

type pair struct{ left, right int32 }

// mergeTo is what a pair becomes; lower ranks go first.
type mergeTo struct{ rank, id int32 }

// newBPE checks a vocabulary and its merges, each of which is two tokens.
func newBPE(vocab map[string]int32, merges [][2]string, options bpeOptions) (*bpe, error) {
	m := &bpe{bpeOptions: options, vocab: vocab, merges: make(map[pair]mergeTo, len(merges)), unknownID: none}
	if len(vocab) > maxID+1 || len(merges) > maxMerges {
		return nil, fmt.Errorf("%d tokens and %d merges: at most %d and %d are taken", len(vocab), len(merges), maxID+1, maxMerges)
	}
	highest := none
	for token, id := range vocab {
		if id < 0 || id > maxID {
			return nil, fmt.Errorf("token %s has id %d: 0 to %d are taken", quote(token), id, maxID)
		}
		highest = max(highest, id)
	}
	m.tokens, m.has = make([]string, highest+1), make([]bool, highest+1)
	for token, id := range vocab {
		if m.has[id] {
			return nil, fmt.Errorf("tokens %s and %s have the same id %d", quote(min(token, m.tokens[id])), quote(max(token, m.tokens[id])), id)
		}
		m.tokens[id], m.has[id] = token, true
	}
	for rank, parts := range merges {
		left, ok1 := vocab[parts[0]]
		right, ok2 := vocab[parts[1]]
		id, ok3 := vocab[parts[0]+parts[1]]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("merge %d of %s and %s: they and what they make must be tokens", rank, quote(parts[0]), quote(parts[1]))
		}
		m.merges[pair{left, right}] = mergeTo{int32(rank), id}
	}
	return m, m.index()
}

// index makes the tokens of characters and bytes quick to find.
func (m *bpe) index() error {
	for r := range m.ascii {
		m.ascii[r] = m.idOf(string(rune(r)))
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
		return fmt.Errorf("unk_token %s is no token", quote(m.unknown))
	}
	return nil
}

// idOf is a token's id, or none.
func (m *bpe) idOf(token string) int32 {
	if id, ok := m.vocab[token]; ok {
		return id
	}
	return none
}

// token is how a token is written.
func (m *bpe) token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(m.tokens) || !m.has[id] {
		return "", false
	}
	return m.tokens[id], true
}

// encode appends the ids of a piece.
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

// start fills work with the tokens of the characters of a piece. An
// unknown one is pending until the next known character, even where bytes
// were spelled out since: the tokenizers library does so.
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
		if int(r) < len(m.ascii) {
			id = m.ascii[r]
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

// spell adds the tokens of a character's bytes, if there is one for each.
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

// parseMerges reads merges.txt: two tokens a line, the first learned first.
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

// splitMerge reads a merge that is written as two tokens and a space.
func splitMerge(line string) (parts [2]string, err error) {
	left, right, ok := strings.Cut(line, " ")
	if !ok || left == "" || right == "" || strings.Contains(right, " ") {
		return parts, fmt.Errorf("the merge %s is not two tokens and a space", quote(line))
	}
	return [2]string{left, right}, nil
}
