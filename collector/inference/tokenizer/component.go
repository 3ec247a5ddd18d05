package tokenizer

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/sllmq/sllmq/internal/text"
)

// Limits of a tokenizer.json's components.
const (
	maxSequence = 64  // components
	maxDepth    = 4   // of nested sequences
	maxPattern  = 512 // bytes of a pattern and of its replacement
)

// component is an element of tokenizer.json's normalizer, pre_tokenizer,
// post_processor or decoder. Its type determines which fields are used.
type component struct {
	Type string `json:"type"`

	// Sequence, by the kind of its elements
	Normalizers   []json.RawMessage `json:"normalizers"`
	PreTokenizers []json.RawMessage `json:"pretokenizers"`
	Processors    []json.RawMessage `json:"processors"`
	Decoders      []json.RawMessage `json:"decoders"`

	// ByteLevel
	UseRegex *bool `json:"use_regex"`
	// ByteLevel and Metaspace
	AddPrefixSpace *bool `json:"add_prefix_space"`

	// Metaspace
	Replacement   string  `json:"replacement"`
	PrependScheme *string `json:"prepend_scheme"`
	Split         *bool   `json:"split"`

	// Split and Replace
	Pattern  *pattern `json:"pattern"`
	Behavior string   `json:"behavior"`
	Invert   bool     `json:"invert"`

	// Replace and the decoder Strip
	Content string `json:"content"`
	Start   int    `json:"start"`
	Stop    int    `json:"stop"`

	// The normalizers Prepend and Strip
	Prepend    string `json:"prepend"`
	StripLeft  bool   `json:"strip_left"`
	StripRight bool   `json:"strip_right"`

	// Digits
	IndividualDigits bool `json:"individual_digits"`

	// TemplateProcessing
	Single        []templatePart          `json:"single"`
	SpecialTokens map[string]templateItem `json:"special_tokens"`
}

// pattern is a literal text or an expression.
type pattern struct {
	String *string
	Regex  *string
}

// readComponents returns the components of a value that is null, a component, or
// a sequence of them in the given field.
func readComponents(raw json.RawMessage, field string) ([]component, error) {
	return appendComponents(nil, raw, field, maxDepth)
}

func appendComponents(list []component, raw json.RawMessage, field string, depth int) ([]component, error) {
	if isNull(raw) {
		return list, nil
	}
	var c component
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, err
	}
	if c.Type != "Sequence" {
		if list = append(list, c); len(list) > maxSequence {
			return nil, fmt.Errorf("more than %d components", maxSequence)
		}
		return list, nil
	}
	if depth == 0 {
		return nil, fmt.Errorf("sequences nested deeper than %d", maxDepth)
	}
	inner := map[string][]json.RawMessage{
		"normalizers": c.Normalizers, "pretokenizers": c.PreTokenizers, "processors": c.Processors, "decoders": c.Decoders,
	}[field]
	for _, raw := range inner {
		var err error
		if list, err = appendComponents(list, raw, field, depth-1); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// isNull reports whether a field is missing or null.
func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// unsupported returns the error of an unsupported feature in a file.
func unsupported(feature, name string) error {
	return fmt.Errorf("%s %s is not supported", feature, quote(name))
}

// quote quotes a name from a file, shortened for an error message.
func quote(name string) string { return strconv.Quote(text.Clip(name, 80)) }
