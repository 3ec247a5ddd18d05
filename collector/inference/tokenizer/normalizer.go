package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites a text before it is split. It fails if the text grows
// past maxText.
type normalizer func(text string) (string, error)

var errGrown = errors.New("normalized it is over 4 MiB")

// newNormalizer builds what tokenizer.json's normalizer asks for: nil for
// nothing.
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
		old, with, err := c.literal()
		if err != nil {
			return nil, fmt.Errorf("normalizer Replace: %w", err)
		}
		return replace(old, with), nil
	}
	return nil, unsupported("normalizer", c.Type)
}

// literal is the text of a Replace and what stands for it.
func (c component) literal() (old, with string, err error) {
	switch {
	case c.Pattern == nil || c.Pattern.String == nil && c.Pattern.Regex == nil:
		return "", "", errors.New("no pattern")
	case c.Pattern.String == nil:
		return "", "", unsupported("the expression", *c.Pattern.Regex)
	case *c.Pattern.String == "" || len(*c.Pattern.String) > maxPattern || len(c.Content) > maxPattern:
		return "", "", errors.New("an empty pattern, or one that is too long")
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

func replace(old, with string) normalizer {
	return func(text string) (string, error) {
		if n := strings.Count(text, old); n > 0 && len(text)+n*(len(with)-len(old)) > maxText {
			return "", errGrown
		}
		return strings.ReplaceAll(text, old, with), nil
	}
}

// lowercase maps each character by itself, so that a final sigma is as any
// other. The capital I with a dot is the one that becomes two.
func lowercase(text string) (string, error) {
	lower := strings.ToLower(text)
	if strings.ContainsRune(text, 'İ') {
		lower = strings.ToLower(strings.ReplaceAll(text, "İ", "i\u0307"))
	}
	return lower, nil
}
