// Package text makes text from files, servers and libraries fit for one line
// of output.
package text

import (
	"strings"
	"unicode"
)

// OneLine replaces control characters and runs of white space with single
// spaces.
func OneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// Clip shortens s to at most max bytes, and appends an ellipsis if it cut
// something off. It never cuts a character in two, and replaces bytes that are
// not UTF-8.
func Clip(s string, max int) string {
	if len(s) <= max {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	for max > 0 && s[max]&0xC0 == 0x80 {
		max--
	}
	return strings.ToValidUTF8(s[:max], "\uFFFD") + "…"
}
