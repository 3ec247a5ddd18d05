// Package text makes text from files, servers and libraries fit for one line
// of output.
package text

import (
	"strconv"
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

// Printable replaces what a terminal would obey, which is control characters
// except new lines and tabs, with question marks.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '?'
		}
		return r
	}, s)
}

// Count is a number of things: 1 run, 2 runs.
func Count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.FormatInt(n, 10) + " " + thing + "s"
}
