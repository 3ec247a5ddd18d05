package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// matcher calls found with each match in a text, in order. Matches are not
// empty and do not overlap.
type matcher func(text string, found func(from, to int)) error

// span is a part of a text that matched, or one between matches.
type span struct {
	from, to int
	match    bool
}

// split is tokenizer.json's Split: what becomes of the matches is told by
// behavior, and invert takes for a match what is between them.
func split(find matcher, behavior string, invert bool) (preTokenizer, error) {
	var arrange func([]span) []span
	switch behavior {
	case "Isolated":
		arrange = func(spans []span) []span { return spans }
	case "Removed":
		arrange = removed
	case "Contiguous":
		arrange = func(spans []span) []span {
			return merged(spans, func(before, now span) bool { return before.match == now.match })
		}
	case "MergedWithPrevious":
		arrange = func(spans []span) []span {
			return merged(spans, func(before, now span) bool { return now.match && !before.match })
		}
	case "MergedWithNext":
		arrange = func(spans []span) []span {
			return merged(spans, func(before, now span) bool { return before.match && !now.match })
		}
	default:
		return nil, unsupported("the behavior", behavior)
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
	step, _ := split(find, "Isolated", false) // a behavior that there is
	return step
}

// spansOf cuts a text into matches and what is between them.
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

// removed leaves the matches out.
func removed(spans []span) []span {
	kept := spans[:0]
	for _, s := range spans {
		if !s.match {
			kept = append(kept, s)
		}
	}
	return kept
}

// merged joins each span to the one before it where join says so of the two.
func merged(spans []span, join func(before, now span) bool) []span {
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

// literal finds a text that is not empty.
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

// eachRune finds single characters.
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
