package tokenizer

import (
	"encoding/json"
	"fmt"
)

// Bounds on what a tokenizer.json is built of.
const (
	maxSequence = 64  // components in one sequence
	maxDepth    = 4   // sequences within sequences
	maxPattern  = 512 // bytes of a pattern, and of what replaces it
)

// component is one element of tokenizer.json's normalizer, pre_tokenizer,
// post_processor or decoder. Which fields count depends on its type; those
// that the file has to have are pointers.
type component struct {
	Type string `json:"type"`

	// Sequence, by the name of what it is a sequence of.
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

// pattern is what is looked for: a text as it stands, or an expression.
type pattern struct {
	String *string
	Regex  *string
}

// readComponents lists the components of a value that may be null, one
// component, or a sequence of them. The name of the sequence's field tells
// what is asked for.
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
		return nil, fmt.Errorf("sequences more than %d deep", maxDepth)
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

// isNull says whether a field is missing or null.
func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// unsupported refuses what a file asks for by its name.
func unsupported(what, name string) error {
	return fmt.Errorf("%s %s is not supported", what, quote(name))
}

// quote shows a name from a file in an error of one line.
func quote(name string) string {
	const most = 80
	if len(name) > most {
		name = name[:most] + "…"
	}
	return fmt.Sprintf("%q", name)
}
