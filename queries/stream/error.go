package stream

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Error is DuckDB's error for a statement, on one line.
type Error struct{ text string }

// caretText is how DuckDB shows a place: the line, and a caret under it.
var caretText = regexp.MustCompile(`(?s)^(.*?)\s*\n+LINE (\d+): (.*)\n( *)\^`)

// Error puts the line and the column before DuckDB's words.
func (e *Error) Error() string {
	m := caretText.FindStringSubmatch(e.text)
	if m == nil {
		return strings.Join(strings.Fields(e.text), " ")
	}
	words := strings.Join(strings.Fields(m[1]), " ")
	// DuckDB shows part of a long line, between dots.
	if strings.HasPrefix(m[3], "...") {
		return fmt.Sprintf("line %s, near %s: %s", m[2], strings.Trim(m[3], ". "), words)
	}
	column := len(m[4]) - len("LINE : ") - len(m[2]) + 1
	return fmt.Sprintf("line %s, column %d: %s", m[2], column, words)
}

// isInterrupt reports whether DuckDB was interrupted, which hides the reason.
func isInterrupt(err error) bool {
	var e *Error
	return errors.As(err, &e) && strings.HasPrefix(e.text, "INTERRUPT Error")
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
