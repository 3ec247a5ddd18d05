package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// matcher calls found with each match in a text, in order. Matches are not empty
// and do not overlap.
type matcher func(text string, found func(from, to int)) error

// span is a match or a part between matches.
type span struct {
	from, to int
	match    bool
}

// split returns tokenizer.json's Split. behavior determines what happens to
// matches; invert swaps matches and the parts between them.
func split(find matcher, behavior string, invert bool) (preTokenizer, error) {
	var arrange func([]span) []span
	switch behavior {
	case "Isolated":
		arrange = func(spans []span) []span { return spans }
	case "Removed":
		arrange = removed
	case "Contiguous":
		arrange = func(spans []span) []span {
			return merged(spans, func(a, b span) bool { return a.match == b.match })
		}
	case "MergedWithPrevious":
		arrange = func(spans []span) []span {
			return merged(spans, func(a, b span) bool { return b.match && !a.match })
		}
	case "MergedWithNext":
		arrange = func(spans []span) []span {
			return merged(spans, func(a, b span) bool { return a.match && !b.match })
		}
	default:
		return nil, unsupported("behavior", behavior)
	}
	return func(pieces []piece) ([]piece, error) {
		var out []piece
		var spans []span
		for _, p := range pieces {
			var err error
			if spans, err = spansOf(spans[:0], p.text, find, invert); err != nil {
				return nil, err
			}
			for _, s := range arrange(spans) {
				out = append(out, piece{p.text[s.from:s.to], p.first && s.from == 0})
			}
		}
		return out, nil
	}, nil
}

// isolated splits around matches.
func isolated(find matcher) preTokenizer {
	step, _ := split(find, "Isolated", false) // a known behavior
	return step
}

// spansOf appends the matches in a text and the parts between them.
func spansOf(spans []span, text string, find matcher, invert bool) ([]span, error) {
	done := 0
	err := find(text, func(from, to int) {
		if done < from {
			spans = append(spans, span{done, from, invert})
		}
		spans = append(spans, span{from, to, !invert})
		done = to
	})
	if done < len(text) {
		spans = append(spans, span{done, len(text), invert})
	}
	return spans, err
}

// removed drops the matches.
func removed(spans []span) []span {
	kept := spans[:0]
	for _, s := range spans {
		if !s.match {
			kept = append(kept, s)
		}
	}
	return kept
}

// merged joins each span to the one before it if join reports so.
func merged(spans []span, join func(a, b span) bool) []span {
	out := spans[:0]
	var before span
	for i, s := range spans {
		if i > 0 && join(before, s) {
			out[len(out)-1].to = s.to
		} else {
			out = append(out, s)
		}
		before = s
	}
	return out
}

// literal matches a text, which must not be empty.
func literal(want string) matcher {
	return func(text string, found func(from, to int)) error {
		for at := 0; ; {
			i := strings.Index(text[at:], want)
			if i < 0 {
				return nil
			}
			found(at+i, at+i+len(want))
			at += i + len(want)
		}
	}
}

// eachRune matches single characters.
func eachRune(want func(rune) bool) matcher {
	return func(text string, found func(from, to int)) error {
		for i, r := range text {
			if want(r) {
				found(i, i+utf8.RuneLen(r))
			}
		}
		return nil
	}
}
