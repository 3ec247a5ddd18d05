package tokenizer

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// form is one of Unicode's normalization forms (UAX #15).
//
// norm.Form's own functions make stream-safe text: they put a U+034F into
// any run of more than 30 combining marks, which the tokenizers library does
// not. So the tables are norm's, and the three steps are here.
type form struct {
	tables  norm.Form
	compose bool
}

func (f form) normalize(text string) (string, error) {
	if f.tables.QuickSpanString(text) == len(text) {
		return text, nil
	}
	var out strings.Builder
	out.Grow(len(text) + 16)
	var cluster []mark
	for text != "" {
		if r, n := utf8.DecodeRuneInString(text); unicode.Is(afterUnicode9, r) {
			f.write(&out, cluster)
			cluster = append(cluster[:0], mark{r, 0})
			text = text[n:]
			continue
		}
		p := f.tables.PropertiesString(text)
		char, first := text[:p.Size()], p
		if whole := p.Decomposition(); whole != nil {
			// Properties of the character itself do not tell that a part of a
			// Hangul syllable, which it may stand for, belongs to what is before.
			char, first = string(whole), f.tables.Properties(whole)
		}
		if len(cluster) > 0 && first.BoundaryBefore() {
			f.write(&out, cluster)
			cluster = cluster[:0]
		}
		cluster = f.appendMarks(cluster, char)
		text = text[p.Size():]
	}
	f.write(&out, cluster)
	return out.String(), nil
}

// mark is a character that decomposes no further, and its combining class.
type mark struct {
	r     rune
	class uint8
}

// appendMarks appends the characters of a decomposition, or a Hangul syllable
// taken apart.
func (f form) appendMarks(cluster []mark, char string) []mark {
	for _, r := range char {
		if l, v, t, ok := splitHangul(r); ok {
			cluster = append(cluster, mark{l, 0}, mark{v, 0})
			if t != 0 {
				cluster = append(cluster, mark{t, 0})
			}
			continue
		}
		var buf [utf8.UTFMax]byte
		n := utf8.EncodeRune(buf[:], r)
		cluster = append(cluster, mark{r, f.tables.Properties(buf[:n]).CCC()})
	}
	return cluster
}

// write orders the marks of a cluster, composes them if the form wants that,
// and writes them.
func (f form) write(out *strings.Builder, cluster []mark) {
	for i := 0; i < len(cluster); {
		if cluster[i].class == 0 {
			i++
			continue
		}
		from := i
		for i < len(cluster) && cluster[i].class != 0 {
			i++
		}
		run := cluster[from:i]
		sort.SliceStable(run, func(a, b int) bool { return run[a].class < run[b].class })
	}
	if f.compose {
		cluster = composed(cluster)
	}
	for _, m := range cluster {
		out.WriteRune(m.r)
	}
}

// composed joins starters with the marks after them that they have a
// composed character with, unless one of the same or a higher class stands
// between.
func composed(cluster []mark) []mark {
	starter, last := -1, -1 // the last starter's place, and the last class after it
	n := 0
	for _, m := range cluster {
		if starter >= 0 && last < int(m.class) {
			if r, ok := composePair(cluster[starter].r, m.r); ok {
				cluster[starter].r = r
				continue
			}
		}
		if m.class == 0 {
			starter, last = n, -1
		} else {
			last = int(m.class)
		}
		cluster[n] = m
		n++
	}
	return cluster[:n]
}

// composePair is the character that two are equivalent to.
func composePair(a, b rune) (rune, bool) {
	pair := string(a) + string(b)
	one := norm.NFC.String(pair)
	r, n := utf8.DecodeRuneInString(one)
	// Where a alone is no NFC, what comes out is another pair's.
	return r, n == len(one) && norm.NFC.IsNormalString(string(a)) && !unicode.Is(afterUnicode9, r)
}

// splitHangul takes a syllable apart into its letters (The Unicode Standard,
// section 3.12); t is 0 if there are two.
func splitHangul(r rune) (l, v, t rune, ok bool) {
	const (
		first, count    = 0xac00, 11172
		leads, vowels   = 0x1100, 0x1161
		tails, perVowel = 0x11a7, 28
		perLead         = 21 * perVowel
	)
	at := r - first
	if at < 0 || at >= count {
		return 0, 0, 0, false
	}
	if tail := at % perVowel; tail != 0 {
		t = tails + tail
	}
	return leads + at/perLead, vowels + at%perLead/perVowel, t, true
}
