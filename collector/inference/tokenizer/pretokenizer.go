package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// preTokenizer splits the pieces of a text or rewrites them. Tokens never cross
// pieces.
type preTokenizer func(pieces []piece) ([]piece, error)

// newPreTokenizers returns the steps of tokenizer.json's pre_tokenizer.
func newPreTokenizers(raw json.RawMessage) ([]preTokenizer, error) {
	components, err := readComponents(raw, "pretokenizers")
	if err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	var list []preTokenizer
	for _, c := range components {
		some, err := onePreTokenizer(c)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

func onePreTokenizer(c component) ([]preTokenizer, error) {
	switch c.Type {
	case "ByteLevel":
		return byteLevelSteps(c.AddPrefixSpace != nil && *c.AddPrefixSpace, c.UseRegex == nil || *c.UseRegex), nil
	case "Split":
		find, err := c.Pattern.finder()
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer Split: %w", err)
		}
		step, err := split(find, c.Behavior, c.Invert)
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer Split: %w", err)
		}
		return []preTokenizer{step}, nil
	case "Digits":
		behavior := "Contiguous"
		if c.IndividualDigits {
			behavior = "Isolated"
		}
		step, err := split(eachRune(unicode.IsNumber), behavior, false)
		return []preTokenizer{step}, err
	case "Metaspace":
		space, scheme, err := c.metaspace()
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer Metaspace: %w", err)
		}
		steps := []preTokenizer{rewrite(func(p piece) string {
			text := strings.ReplaceAll(p.text, " ", space)
			if scheme == prependNever || scheme == prependFirst && !p.first || strings.HasPrefix(text, space) {
				return text
			}
			return space + text
		})}
		if c.Split == nil || *c.Split {
			step, err := split(literal(space), "MergedWithNext", false)
			if err != nil {
				return nil, err
			}
			steps = append(steps, step)
		}
		return steps, nil
	}
	return nil, unsupported("pre_tokenizer", c.Type)
}

// byteLevelSteps returns GPT-2's pre-tokenizer.
func byteLevelSteps(addPrefixSpace, useRegex bool) []preTokenizer {
	var steps []preTokenizer
	if addPrefixSpace {
		steps = append(steps, rewrite(func(p piece) string {
			if strings.HasPrefix(p.text, " ") {
				return p.text
			}
			return " " + p.text
		}))
	}
	if useRegex {
		steps = append(steps, isolated(scan(nextGPT2)))
	}
	return append(steps, rewrite(func(p piece) string { return byteLevel(p.text) }))
}

// rewrite changes the text of each piece.
func rewrite(change func(piece) string) preTokenizer {
	return func(pieces []piece) ([]piece, error) {
		total := 0
		for i, p := range pieces {
			pieces[i].text = change(p)
			if total += len(pieces[i].text); total > 4*maxText {
				return nil, errors.New("its pieces exceed 16 MiB")
			}
		}
		return pieces, nil
	}
}

// prependScheme is where Metaspace inserts a space.
type prependScheme int

const (
	prependAlways prependScheme = iota // before each piece
	prependFirst                       // before the first piece of the text
	prependNever
)

// metaspace returns the character that replaces a space, and the scheme.
func (c component) metaspace() (space string, scheme prependScheme, err error) {
	if utf8.RuneCountInString(c.Replacement) != 1 {
		return "", 0, fmt.Errorf("the replacement %s is not one character", quote(c.Replacement))
	}
	name := "always"
	if c.PrependScheme != nil {
		name = *c.PrependScheme
	} else if c.AddPrefixSpace != nil && !*c.AddPrefixSpace {
		name = "never" // older files have no schemes
	}
	switch name {
	case "always":
		return c.Replacement, prependAlways, nil
	case "first":
		return c.Replacement, prependFirst, nil
	case "never":
		return c.Replacement, prependNever, nil
	}
	return "", 0, unsupported("prepend_scheme", name)
}
