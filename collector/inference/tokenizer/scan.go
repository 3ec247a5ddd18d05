package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The expressions with which GPT-2, Llama 3 and Qwen split texts. Functions below
// implement them, because they contain lookaheads, which package regexp does not
// support, and because functions are many times faster.
const (
	gpt2Pattern     = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+` + trailingSpace
	llama3Pattern   = cl100kWords + `|\p{N}{1,3}` + cl100kRest
	qwen2Pattern    = cl100kWords + `|\p{N}` + cl100kRest
	cl100kWords     = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+`
	cl100kRest      = `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+` + trailingSpace
	trailingSpace   = `|\s+(?!\S)|\s+`
	llama3MaxDigits = 3
	qwen2MaxDigits  = 1
)

// kind is a class of characters that the expressions distinguish.
type kind int

const (
	other kind = iota
	letter
	number
	space
)

// kindOf returns the kind of text's first character and its length in bytes,
// which is 0 if text is empty.
func kindOf(text string) (kind, int) {
	if text == "" {
		return other, 0
	}
	if c := text[0]; c < utf8.RuneSelf {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			return letter, 1
		case '0' <= c && c <= '9':
			return number, 1
		case c == ' ', '\t' <= c && c <= '\r':
			return space, 1
		}
		return other, 1
	}
	r, n := utf8.DecodeRuneInString(text)
	switch {
	case unicode.IsLetter(r):
		return letter, n
	case unicode.IsNumber(r):
		return number, n
	case unicode.IsSpace(r):
		return space, n
	}
	return other, n
}

// run returns the end of the characters of a kind that begin at a byte, counting
// at most limit of them.
func run(text string, at int, of kind, limit int) int {
	for ; limit > 0; limit-- {
		k, n := kindOf(text[at:])
		if n == 0 || k != of {
			break
		}
		at += n
	}
	return at
}

// scan returns a matcher whose matches cover the text. next returns the length
// of the first match in a text that is not empty.
func scan(next func(text string) int) matcher {
	return func(text string, found func(from, to int)) error {
		for at := 0; at < len(text); {
			end := at + next(text[at:])
			found(at, end)
			at = end
		}
		return nil
	}
}

// nextGPT2 matches gpt2Pattern.
func nextGPT2(text string) int {
	if n := contraction(text, false); n > 0 {
		return n
	}
	at := 0
	if text[0] == ' ' {
		at = 1
	}
	if k, n := kindOf(text[at:]); n > 0 && k != space {
		return run(text, at, k, len(text))
	}
	return spaces(text)
}

// nextCL100K matches llama3Pattern, qwen2Pattern and others that differ only in
// the number of digits per match.
func nextCL100K(digits int) func(text string) int {
	return func(text string) int {
		if n := contraction(text, true); n > 0 {
			return n
		}
		k, n := kindOf(text)
		switch k {
		case letter:
			return run(text, n, letter, len(text))
		case number:
			return run(text, n, number, digits-1)
		}
		newline := text[0] == '\r' || text[0] == '\n'
		if !newline {
			if end := run(text, n, letter, len(text)); end > n {
				return end
			}
		}
		at := 0
		if text[0] == ' ' {
			at = 1
		}
		if end := run(text, at, other, len(text)); end > at {
			return end + len(text[end:]) - len(strings.TrimLeft(text[end:], "\r\n"))
		}
		if end := strings.LastIndexAny(text[:run(text, 0, space, len(text))], "\r\n"); end >= 0 {
			return end + 1
		}
		return spaces(text)
	}
}

// spaces matches trailingSpace in a text that begins with white space: all of the
// white space, without its last character if other text follows.
func spaces(text string) int {
	end := run(text, 0, space, len(text))
	if end == len(text) {
		return end
	}
	_, last := utf8.DecodeLastRuneInString(text[:end])
	if last < end {
		end -= last
	}
	return end
}

// contraction returns the length of an English contraction such as 'll at the
// beginning of text, or 0. fold ignores case.
func contraction(text string, fold bool) int {
	if text[0] != '\'' {
		return 0
	}
	for _, ending := range [...]string{"s", "t", "re", "ve", "m", "ll", "d"} {
		rest := text[1:]
		if strings.HasPrefix(rest, ending) {
			return 1 + len(ending)
		}
		if fold && len(rest) >= len(ending) && strings.EqualFold(rest[:len(ending)], ending) {
			return 1 + len(ending)
		}
	}
	// The long s folds to s.
	if fold && strings.HasPrefix(text[1:], "ſ") {
		return 1 + len("ſ")
	}
	return 0
}
