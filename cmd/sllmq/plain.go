package main

import (
	"io"

	"github.com/sllmq/sllmq/internal/text"
)

// plain is a writer of text for people. Names and errors come from outside, from
// imported warehouses too, so it takes out what a terminal would obey.
type plain struct{ out io.Writer }

func (p plain) Write(b []byte) (int, error) {
	_, err := io.WriteString(p.out, text.Printable(string(b)))
	return len(b), err
}
