package render

import (
	"fmt"
	"math"
	"strings"

	"github.com/sllmq/sllmq/queries/stats"
)

// lineWidth is how many columns a line for people takes at most.
const lineWidth = 80

// Fold breaks a text between words into lines that take at most this many
// columns. A head stands before the first; the others are indented by its
// width.
func Fold(head, text string, columns int) string {
	indent := width(head)
	var b strings.Builder
	at := indent
	b.WriteString(head)
	for i, word := range strings.Fields(strings.ReplaceAll(text, " %", "\x00%")) {
		word = strings.ReplaceAll(word, "\x00", " ") // 5 % stays on one line
		n := width(word)
		switch {
		case i == 0:
		case at+1+n > columns:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// fold is Fold to the width of a line.
func fold(head, text string) string { return Fold(head, text, lineWidth) }

// wrap joins parts with semicolons behind a head. Lines break between parts.
func wrap(head string, parts []string) string {
	var b strings.Builder
	b.WriteString(head)
	at := width(head)
	for i, part := range parts {
		if i > 0 {
			b.WriteByte(';')
			if at+2+width(part) > lineWidth-1 { // a semicolon may follow
				b.WriteString("\n   ")
				at = 3
			}
			b.WriteByte(' ')
			at += 2
		}
		b.WriteString(part)
		at += width(part)
	}
	return b.String()
}

// seconds formats a time with three decimals.
func seconds(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *v)
}

// precise formats a time in seconds with some four digits, in at most six
// columns.
func precise(s float64) string {
	switch {
	case s >= 1000:
		return fmt.Sprintf("%.0f", s)
	case s >= 100:
		return fmt.Sprintf("%.1f", s)
	case s >= 10:
		return fmt.Sprintf("%.2f", s)
	case s >= 0.1:
		return fmt.Sprintf("%.3f", s)
	}
	return fmt.Sprintf("%.4f", s)
}

// rate formats bytes per second as GB/s.
func rate(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *v/1e9)
}

func need(n int) string { return fmt.Sprintf("need ≥ %d", n) }

func interval(i stats.Interval) string {
	if !i.Known() {
		return "-"
	}
	return fmt.Sprintf("%.3f-%.3f", i.Lo, i.Hi)
}

func pValue(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

// finite is a number that JSON has; nil for others.
func finite(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}
