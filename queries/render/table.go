package render

import (
	"bufio"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/rivo/uniseg"
)

// page is how many rows a table lays out at a time: a page keeps the widths of
// the first unless it has to be wider.
const page = 1000

// table writes aligned columns under a header, numbers to the right. On a
// terminal, values are cut where a row would not fit, and where that is not
// enough columns in the middle are left out; elsewhere nothing is.
type table struct {
	out      *bufio.Writer
	width    int
	markdown bool

	names   []string
	numbers []bool
	shown   []int // the columns that are printed; -1 stands for those left out
	widths  []int
	cells   [][]string
	begun   bool
	text    []byte
}

const leftOut = -1

func (w *table) begin(schema *arrow.Schema) error {
	for _, f := range schema.Fields() {
		w.names = append(w.names, w.clean(f.Name))
		w.numbers = append(w.numbers, isNumber(f.Type))
	}
	w.widths = make([]int, len(w.names))
	w.shown = choose(len(w.names), w.width)
	return nil
}

// narrowest is how far a column is cut for others to have room, and gap what
// stands between two.
const narrowest, gap = 8, 2

// choose tells which of n columns a terminal has room for: all, or the first and
// the last ones.
func choose(n, width int) []int {
	var shown []int
	room := (width + gap) / (narrowest + gap)
	if width == 0 || n <= room {
		for i := range n {
			shown = append(shown, i)
		}
		return shown
	}
	room = max(room, 3)
	before := room / 2
	for i := range before {
		shown = append(shown, i)
	}
	shown = append(shown, leftOut)
	for i := n - (room - 1 - before); i < n; i++ {
		shown = append(shown, i)
	}
	return shown
}

func (w *table) batch(rows arrow.RecordBatch) error {
	columns := rows.Columns()
	for i := range int(rows.NumRows()) {
		cells := make([]string, len(columns))
		for _, c := range w.shown {
			switch {
			case c == leftOut:
			case columns[c].IsNull(i):
				cells[c] = "NULL"
			default:
				w.text = appendText(w.text[:0], columns[c], i)
				cells[c] = w.clean(string(w.text))
			}
		}
		w.cells = append(w.cells, cells)
		if len(w.cells) < page {
			continue
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (w *table) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	if len(w.shown) == len(w.names) {
		return nil
	}
	_, err := fmt.Fprintf(w.out, "(%d of %d columns; name those that you want, or widen the terminal)\n", len(w.shown)-1, len(w.names))
	return err
}

// clean keeps a value on its line and in its column.
func (w *table) clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	if w.markdown {
		s = strings.ReplaceAll(s, "|", `\|`)
	}
	return s
}

func (w *table) flush() error {
	if !w.begun {
		w.widen(w.names)
	}
	for _, cells := range w.cells {
		w.widen(cells)
	}
	if !w.begun {
		w.begun = true
		w.fit()
		if err := w.print(w.names); err != nil {
			return err
		}
		if err := w.rule(); err != nil {
			return err
		}
	}
	for _, cells := range w.cells {
		if err := w.print(cells); err != nil {
			return err
		}
	}
	w.cells = w.cells[:0]
	return nil
}

// widen makes room for a row; on a terminal, only the first page may.
func (w *table) widen(cells []string) {
	if w.begun && w.width > 0 {
		return
	}
	for i, cell := range cells {
		w.widths[i] = max(w.widths[i], 3, columnsOf(cell))
	}
}

// widthOf is a shown column's, in columns of the terminal.
func (w *table) widthOf(c int) int {
	if c == leftOut {
		return 1
	}
	return w.widths[c]
}

// fit narrows the widest columns until a row fits the terminal.
func (w *table) fit() {
	if w.width == 0 {
		return
	}
	for {
		total, widest, second := gap*(len(w.shown)-1), leftOut, 0
		for _, c := range w.shown {
			total += w.widthOf(c)
			switch {
			case c == leftOut:
			case widest == leftOut || w.widths[c] > w.widths[widest]:
				second = w.widthOf(widest)
				widest = c
			default:
				second = max(second, w.widths[c])
			}
		}
		if total <= w.width || widest == leftOut || w.widths[widest] <= narrowest {
			return
		}
		w.widths[widest] = max(narrowest, w.widths[widest]-(total-w.width), min(second, w.widths[widest]-1))
	}
}

func (w *table) print(cells []string) error {
	var line strings.Builder
	for at, c := range w.shown {
		if w.markdown {
			line.WriteString("| ")
		} else if at > 0 {
			line.WriteString("  ")
		}
		cell, number := "…", false
		if c != leftOut {
			cell, number = cells[c], w.numbers[c]
		}
		if w.width > 0 {
			cell = cut(cell, w.widthOf(c))
		}
		pad := strings.Repeat(" ", max(0, w.widthOf(c)-columnsOf(cell)))
		if number {
			line.WriteString(pad + cell)
		} else {
			line.WriteString(cell + pad)
		}
		if w.markdown {
			line.WriteString(" ")
		}
	}
	text := strings.TrimRight(line.String(), " ")
	if w.markdown {
		text += " |"
	}
	_, err := fmt.Fprintln(w.out, text)
	return err
}

// columnsOf is how many columns of a terminal a text takes.
func columnsOf(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return uniseg.StringWidth(s)
		}
	}
	return len(s)
}

// cut keeps the beginning of a value, so that it takes no more than width
// columns, and says that there was more.
func cut(s string, width int) string {
	if columnsOf(s) <= width {
		return s
	}
	kept, rest, state := 0, s, -1
	for used := 0; len(rest) > 0; {
		var cluster string
		var columns int
		cluster, rest, columns, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used += columns; used > width-1 {
			break
		}
		kept += len(cluster)
	}
	return s[:kept] + "…"
}

func (w *table) rule() error {
	var parts []string
	for _, c := range w.shown {
		dashes := strings.Repeat("-", w.widthOf(c))
		if w.markdown && w.numbers[c] {
			dashes = dashes[1:] + ":"
		}
		parts = append(parts, dashes)
	}
	line := strings.Join(parts, "  ")
	if w.markdown {
		line = "| " + strings.Join(parts, " | ") + " |"
	}
	_, err := fmt.Fprintln(w.out, line)
	return err
}
