// Package pyjson reads JSON as Python's json module writes it: with NaN,
// Infinity and -Infinity as numbers, which RFC 8259 does not allow. The files of
// Hugging Face models are written that way.
package pyjson

import (
	"bytes"
	"encoding/json"
)

// A constant becomes a string that begins with NUL, so that a field that wants a
// number refuses it, and Restore finds it.
const mark = `"\u0000`

var constants = []string{"NaN", "Infinity", "-Infinity"}

// Unmarshal is like json.Unmarshal and accepts Python's constants in values that
// are not decoded or are kept as json.RawMessage. As in Python, the last of
// several members of one name counts.
func Unmarshal(b []byte, into any) error { return json.Unmarshal(Standard(b), into) }

// Standard returns b with each of Python's constants replaced by a string. It
// returns b itself if there are none.
func Standard(b []byte) []byte {
	var out []byte
	done, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == 'N' || c == 'I' || c == '-'):
			for _, name := range constants {
				if bytes.HasPrefix(b[i:], []byte(name)) {
					out = append(out, b[done:i]...)
					out = append(out, mark+name+`"`...)
					done = i + len(name)
					i = done - 1
					break
				}
			}
		}
	}
	if done == 0 {
		return b
	}
	return append(out, b[done:]...)
}

// Restore undoes Standard.
func Restore(b []byte) []byte {
	for _, name := range constants {
		b = bytes.ReplaceAll(b, []byte(mark+name+`"`), []byte(name))
	}
	return b
}
