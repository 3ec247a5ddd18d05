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
// The functions of norm.Form make text stream-safe: they insert U+034F into runs
// of more than 30 combining marks, which the tokenizers library does not. So form
// uses norm's tables, but implements the three steps itself.
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
			// The character may decompose to a part of a Hangul syllable, which
			// belongs to what precedes it. Only the part's properties show that.
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

// mark is a character without a decomposition, and its combining class.
type mark struct {
	r     rune
	class uint8
}

// appendMarks appends the characters of a decomposition, decomposing Hangul
// syllables.
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

// write orders the marks of a cluster, composes them if the form requires it, and
// writes them.
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

// composed composes starters with following marks, unless a mark of the same or a
// higher class is in between.
func composed(cluster []mark) []mark {
	starter, last := -1, -1 // the index of the last starter, and the last class after it
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

// composePair returns the character that is equivalent to two.
func composePair(a, b rune) (rune, bool) {
	pair := string(a) + string(b)
	one := norm.NFC.String(pair)
	r, n := utf8.DecodeRuneInString(one)
	// If a is not in NFC, the result is the composition of another pair.
	return r, n == len(one) && norm.NFC.IsNormalString(string(a)) && !unicode.Is(afterUnicode9, r)
}

// splitHangul decomposes a syllable into its letters (The Unicode Standard,
// section 3.12); t is 0 if there are only two.
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
