package render

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/olekukonko/tablewriter"
)

// page is how many rows a sheet lays out at a time: a page keeps the widths of
// the one before unless it has to be wider.
const page = 1000

// sheet draws a result of any length as a table, numbers to the right. On a
// terminal, values are cut where a row would not fit, and where that is not
// enough columns in the middle are left out; elsewhere nothing is.
type sheet struct {
	out      *bufio.Writer
	terminal int // columns; 0: no terminal
	drawn    columns

	columns int   // of the result
	shown   []int // of them; leftOut stands for those that are not
	widths  []int // of what is shown
	cells   [][]string
	table   *tablewriter.Table // nil before the first page
	text    []byte
}

const leftOut = -1

func newSheet(out *bufio.Writer, width int) *sheet {
	return &sheet{out: out, terminal: width, drawn: columns{gap: gap, rule: true}}
}

func newMarkdown(out *bufio.Writer) *sheet {
	return &sheet{out: out, drawn: columns{markdown: true}}
}

func (w *sheet) begin(schema *arrow.Schema) error {
	w.columns = schema.NumFields()
	w.shown = choose(w.columns, w.terminal)
	for _, i := range w.shown {
		c := Column{Title: "…"}
		if i != leftOut {
			c = Column{Title: w.clean(schema.Field(i).Name), Width: leastWidth, Right: isNumber(schema.Field(i).Type)}
		}
		w.drawn.columns = append(w.drawn.columns, c)
		w.widths = append(w.widths, max(c.Width, width(c.Title)))
	}
	return nil
}

// A column is as wide as three dots at least. On a terminal it is cut down to
// narrowest for others to have room. The gap is between two.
const leastWidth, narrowest, gap = 3, 8, 2

// choose returns which of n columns a terminal has room for: all, or the first
// and the last ones.
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

func (w *sheet) batch(rows arrow.RecordBatch) error {
	for r := range int(rows.NumRows()) {
		cells := make([]string, len(w.shown))
		for i, c := range w.shown {
			switch {
			case c == leftOut:
				cells[i] = "…"
			case rows.Column(c).IsNull(r):
				cells[i] = "NULL"
			default:
				w.text = appendText(w.text[:0], rows.Column(c), r)
				cells[i] = w.clean(string(w.text))
			}
		}
		if w.cells = append(w.cells, cells); len(w.cells) < page {
			continue
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (w *sheet) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.table.Close(); err != nil {
		return err
	}
	if len(w.shown) == w.columns {
		return nil
	}
	_, err := fmt.Fprintf(w.out, "(%d of %d columns; name those that you want, or widen the terminal)\n", len(w.shown)-1, w.columns)
	return err
}

// clean keeps a value on its line and in its column.
func (w *sheet) clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if w.drawn.markdown {
		s = strings.ReplaceAll(s, "|", `\|`)
	}
	return s
}

// flush draws a page.
func (w *sheet) flush() error {
	widths := slices.Clone(w.widths)
	if w.table == nil || w.terminal == 0 { // a terminal keeps the first page's widths
		for _, cells := range w.cells {
			for i, cell := range cells {
				widths[i] = max(widths[i], width(cell))
			}
		}
	}
	if err := w.widen(widths); err != nil {
		return err
	}
	for _, cells := range w.cells {
		if w.terminal > 0 {
			for i, cell := range cells {
				cells[i] = cut(cell, w.widths[i])
			}
		}
		if err := cmp.Or(w.table.Append(cells), w.drawn.err); err != nil {
			return err
		}
	}
	w.cells = w.cells[:0]
	return nil
}

// widen makes sure that columns have these widths. The first time it draws the
// header.
func (w *sheet) widen(widths []int) (err error) {
	first := w.table == nil
	switch {
	case first:
		w.widths = fit(widths, w.shown, w.terminal)
	case slices.Equal(widths, w.widths):
		return nil
	default:
		w.widths = widths
		if err := w.table.Close(); err != nil {
			return err
		}
	}
	if w.table, err = w.drawn.start(w.out, w.widths); first && err == nil {
		titles := w.drawn.titles()
		for i, title := range titles {
			titles[i] = cut(title, w.widths[i])
		}
		w.table.Header(titles)
	}
	return cmp.Or(err, w.drawn.err)
}

// fit narrows the widest columns until a row fits the terminal.
func fit(widths, shown []int, terminal int) []int {
	if terminal == 0 {
		return widths
	}
	for {
		total, widest, second := gap*(len(shown)-1), -1, 0
		for i, n := range widths {
			total += n
			switch {
			case shown[i] == leftOut:
			case widest < 0 || n > widths[widest]:
				if widest >= 0 {
					second = widths[widest]
				}
				widest = i
			default:
				second = max(second, n)
			}
		}
		if total <= terminal || widest < 0 || widths[widest] <= narrowest {
			return widths
		}
		widths[widest] = max(narrowest, widths[widest]-(total-terminal), min(second, widths[widest]-1))
	}
}
