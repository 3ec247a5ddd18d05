package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites a text before it is split. It fails if the result is
// longer than maxText.
type normalizer func(text string) (string, error)

var errGrown = errors.New("the normalized text exceeds 4 MiB")

// newNormalizer returns tokenizer.json's normalizer, or nil if it has none.
func newNormalizer(raw json.RawMessage) (normalizer, error) {
	components, err := readComponents(raw, "normalizers")
	if err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	var steps []normalizer
	for _, c := range components {
		step, err := oneNormalizer(c)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	if len(steps) == 0 {
		return nil, nil
	}
	return func(text string) (string, error) {
		for _, step := range steps {
			var err error
			if text, err = step(text); err != nil {
				return "", err
			}
			if len(text) > maxText {
				return "", errGrown
			}
		}
		return text, nil
	}, nil
}

func oneNormalizer(c component) (normalizer, error) {
	switch c.Type {
	case "NFC":
		return form{norm.NFC, true}.normalize, nil
	case "NFD":
		return form{norm.NFD, false}.normalize, nil
	case "NFKC":
		return form{norm.NFKC, true}.normalize, nil
	case "NFKD":
		return form{norm.NFKD, false}.normalize, nil
	case "Lowercase":
		return lowercase, nil
	case "Strip":
		return strip(c.StripLeft, c.StripRight), nil
	case "Prepend":
		if len(c.Prepend) > maxPattern {
			return nil, errors.New("normalizer Prepend: too long")
		}
		return prepend(c.Prepend), nil
	case "Replace":
		from, to, err := c.replacement()
		if err != nil {
			return nil, fmt.Errorf("normalizer Replace: %w", err)
		}
		return replace(from, to), nil
	}
	return nil, unsupported("normalizer", c.Type)
}

// replacement returns the text that a Replace replaces, and its replacement.
func (c component) replacement() (from, to string, err error) {
	switch {
	case c.Pattern == nil || c.Pattern.String == nil && c.Pattern.Regex == nil:
		return "", "", errors.New("the pattern is missing")
	case c.Pattern.String == nil:
		return "", "", unsupported("expression", *c.Pattern.Regex)
	case *c.Pattern.String == "" || len(*c.Pattern.String) > maxPattern || len(c.Content) > maxPattern:
		return "", "", errors.New("the pattern is empty or too long")
	}
	return *c.Pattern.String, c.Content, nil
}

func strip(left, right bool) normalizer {
	return func(text string) (string, error) {
		if left {
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		}
		if right {
			text = strings.TrimRightFunc(text, unicode.IsSpace)
		}
		return text, nil
	}
}

func prepend(before string) normalizer {
	return func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		return before + text, nil
	}
}

func replace(from, to string) normalizer {
	return func(text string) (string, error) {
		if n := strings.Count(text, from); n > 0 && len(text)+n*(len(to)-len(from)) > maxText {
			return "", errGrown
		}
		return strings.ReplaceAll(text, from, to), nil
	}
}

// lowercase maps each character independently, so a final sigma is not special.
// Only the capital I with a dot maps to two characters.
func lowercase(text string) (string, error) {
	lower := strings.ToLower(text)
	if strings.ContainsRune(text, 'İ') {
		lower = strings.ToLower(strings.ReplaceAll(text, "İ", "i\u0307"))
	}
	return lower, nil
}
