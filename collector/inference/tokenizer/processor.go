package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// maxTemplate bounds the number of IDs around a text.
const maxTemplate = 64

// templatePart is an element of TemplateProcessing: a special token or the text.
type templatePart struct {
	SpecialToken *struct{ ID string }
	Sequence     *struct{ ID string }
}

// templateItem is a special token of TemplateProcessing.
type templateItem struct {
	IDs []int32 `json:"ids"`
}

// readProcessors returns the IDs that tokenizer.json's post_processor puts before
// and after a text.
func readProcessors(raw json.RawMessage) (prefix, suffix []int32, err error) {
	components, err := readComponents(raw, "processors")
	if err != nil {
		return nil, nil, fmt.Errorf("post_processor: %w", err)
	}
	for _, c := range components {
		switch c.Type {
		case "ByteLevel": // changes only offsets
		case "TemplateProcessing":
			before, after, err := c.template()
			if err != nil {
				return nil, nil, fmt.Errorf("post_processor TemplateProcessing: %w", err)
			}
			prefix, suffix = append(before, prefix...), append(suffix, after...)
		default:
			return nil, nil, unsupported("post_processor", c.Type)
		}
	}
	return prefix, suffix, nil
}

// template returns the IDs before and after the text, which the template calls
// A.
func (c component) template() (before, after []int32, err error) {
	seen := false
	for _, part := range c.Single {
		switch {
		case part.Sequence != nil && part.Sequence.ID == "A" && !seen:
			seen = true
		case part.SpecialToken != nil:
			token, ok := c.SpecialTokens[part.SpecialToken.ID]
			if !ok {
				return nil, nil, fmt.Errorf("special token %s is not defined", quote(part.SpecialToken.ID))
			}
			if seen {
				after = append(after, token.IDs...)
			} else {
				before = append(before, token.IDs...)
			}
		default:
			return nil, nil, errors.New("it does not consist of special tokens and the text A")
		}
		if len(before)+len(after) > maxTemplate {
			return nil, nil, fmt.Errorf("more than %d tokens around the text", maxTemplate)
		}
	}
	if !seen {
		return nil, nil, errors.New("it does not contain the text A")
	}
	return before, after, nil
}
