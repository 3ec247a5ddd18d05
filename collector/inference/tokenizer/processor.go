package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// maxTemplate bounds the ids around a text.
const maxTemplate = 64

// templatePart is an element of TemplateProcessing: a special token, or the
// text.
type templatePart struct {
	SpecialToken *struct{ ID string }
	Sequence     *struct{ ID string }
}

// templateItem is a special token of TemplateProcessing.
type templateItem struct {
	IDs []int32 `json:"ids"`
}

// readProcessors gives the ids that tokenizer.json's post_processor puts
// before and after a text.
func readProcessors(raw json.RawMessage) (prefix, suffix []int32, err error) {
	components, err := readComponents(raw, "processors")
	if err != nil {
		return nil, nil, fmt.Errorf("post_processor: %w", err)
	}
	for _, c := range components {
		switch c.Type {
		case "ByteLevel": // changes offsets only
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

// template reads what stands around the text, which is called A.
func (c component) template() (before, after []int32, err error) {
	seen := false
	for _, part := range c.Single {
		switch {
		case part.Sequence != nil && part.Sequence.ID == "A" && !seen:
			seen = true
		case part.SpecialToken != nil:
			token, ok := c.SpecialTokens[part.SpecialToken.ID]
			if !ok {
				return nil, nil, fmt.Errorf("special token %s is not explained", quote(part.SpecialToken.ID))
			}
			if seen {
				after = append(after, token.IDs...)
			} else {
				before = append(before, token.IDs...)
			}
		default:
			return nil, nil, errors.New("want special tokens and the text A once")
		}
		if len(before)+len(after) > maxTemplate {
			return nil, nil, fmt.Errorf("more than %d tokens around the text", maxTemplate)
		}
	}
	if !seen {
		return nil, nil, errors.New("the text is left out")
	}
	return before, after, nil
}
