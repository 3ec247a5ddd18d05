package main

import (
	"io"
	"strings"
)

// plain is a writer of text for people. Names and errors come from outside, from
// imported warehouses too: what a terminal would obey in them is shown as ?.
type plain struct{ out io.Writer }

func (p plain) Write(text []byte) (int, error) {
	shown := append([]byte(nil), text...)
	for i, c := range shown {
		if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			shown[i] = '?'
		}
	}
	return p.out.Write(shown)
}

// markdownCell is a text as a cell of a Markdown table.
func markdownCell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
