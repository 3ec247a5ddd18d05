package render

import (
	"cmp"
	"io"
	"strings"

	"github.com/sllmq/sllmq/internal/text"
)

// Table is text for people in columns, with lines between the rows that span
// all columns. Columns are as wide as their widest cell.
type Table struct {
	Columns []Column
	Indent  int // spaces before each row
	Gap     int // spaces between columns; 0: two

	parts []part
}

// part is a row, or a line if it has no cells.
type part struct {
	cells []string
	line  string
}

// Row adds a row. A cell may have several lines.
func (t *Table) Row(cells ...string) {
	for i := range cells {
		cells[i] = text.Printable(cells[i])
	}
	t.parts = append(t.parts, part{cells: cells})
}

// Line adds a line between rows. It may itself be several lines.
func (t *Table) Line(line string) { t.parts = append(t.parts, part{line: text.Printable(line)}) }

// Write draws the table: the header, unless no column has a title, and then
// rows and lines in the order in which they were added.
func (t *Table) Write(w io.Writer) error {
	drawn := columns{columns: t.Columns, gap: cmp.Or(t.Gap, gap), indent: t.Indent}
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = max(c.Width, width(c.Title), 1)
		for _, p := range t.parts {
			if p.cells != nil {
				widths[i] = max(widths[i], width(p.cells[i]))
			}
		}
	}
	table, err := drawn.start(w, widths)
	if err != nil {
		return err
	}
	if titles := drawn.titles(); titles != nil {
		table.Header(titles)
	}
	for _, p := range t.parts {
		if p.cells == nil {
			drawn.write(p.line)
		} else {
			err = table.Append(p.cells)
		}
		if err := cmp.Or(err, drawn.err); err != nil {
			return err
		}
	}
	return table.Close()
}

// Markdown writes the rows as a table in Markdown, without lines between rows.
// Its columns do not line up, since notes make for wide ones.
func (t *Table) Markdown(w io.Writer) error {
	drawn := columns{markdown: true}
	var widths []int
	for _, c := range t.Columns {
		c.Title = markdownCell(c.Title)
		drawn.columns, widths = append(drawn.columns, c), append(widths, leastWidth)
	}
	table, err := drawn.start(w, widths)
	if err != nil {
		return err
	}
	table.Header(drawn.titles())
	for _, p := range t.parts {
		if p.cells == nil {
			continue
		}
		var cells []string
		for _, cell := range p.cells {
			cells = append(cells, markdownCell(cell))
		}
		if err := cmp.Or(table.Append(cells), drawn.err); err != nil {
			return err
		}
	}
	return table.Close()
}

// markdownCell is a text as a cell of a Markdown table.
func markdownCell(s string) string {
	return strings.ReplaceAll(text.OneLine(text.Printable(s)), "|", `\|`)
}
