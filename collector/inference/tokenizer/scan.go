package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The expressions that GPT-2, Llama 3 and Qwen split texts with. Each is read
// by a function of its own below: they look ahead, which package regexp does
// not do, and a function is many times as fast.
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

// kind is what the expressions tell characters apart by.
type kind int

const (
	other kind = iota
	letter
	number
	space
)

// kindOf is the kind of the character that text begins with, and its bytes:
// 0 if text is empty.
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

// run is the end of the characters of a kind from a byte on, most of them at
// most.
func run(text string, at int, of kind, most int) int {
	for ; most > 0; most-- {
		k, n := kindOf(text[at:])
		if n == 0 || k != of {
			break
		}
		at += n
	}
	return at
}

// scan finds matches with a function that gives the end of the one that a
// text, which is not empty, begins with. The functions leave nothing between
// matches.
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

// nextGPT2 reads gpt2Pattern.
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

// nextCL100K reads llama3Pattern, qwen2Pattern and those that differ only in
// how many digits they take at a time.
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

// spaces reads trailingSpace, of a text that begins with white space: all of
// it, but for the last character if something follows.
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

// contraction is the length of an English ending such as 'll, which fold
// also finds in capitals.
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
	// The long s is a small s to whoever folds.
	if fold && strings.HasPrefix(text[1:], "ſ") {
		return 1 + len("ſ")
	}
	return 0
}
