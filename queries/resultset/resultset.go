package resultset

import (
	"bufio"
	"database/sql"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Formats lists what Write knows.
func Formats() []string { return []string{"table", "csv", "json", "jsonl", "markdown"} }

// Options are how rows are written.
type Options struct {
	Format string
	Width  int // of the terminal, in columns; 0: tables are as wide as they are
}

// Rows is what a query returns, as database/sql gives it.
type Rows interface {
	Columns() ([]string, error)
	ColumnTypes() ([]*sql.ColumnType, error)
	Next() bool
	Scan(dest ...any) error
	Err() error
}

// writer writes one format.
type writer interface {
	begin(columns []column) error
	row(values []any) error
	end() error
}

type column struct {
	name   string
	dbType string
}

// Write writes every row to w. All formats but table and markdown hold one row
// in memory at a time; those lay out a thousand rows at a time.
func Write(w io.Writer, rows Rows, o Options) error {
	out := bufio.NewWriter(w)
	var to writer
	switch o.Format {
	case "table":
		to = &table{out: out, width: o.Width}
	case "markdown":
		to = &table{out: out, markdown: true}
	case "csv":
		to = &csvWriter{out: csv.NewWriter(out)}
	case "json":
		to = &jsonWriter{out: out, array: true}
	case "jsonl":
		to = &jsonWriter{out: out}
	default:
		return fmt.Errorf("no format %q: use one of %s", o.Format, strings.Join(Formats(), ", "))
	}
	if err := copyRows(to, rows); err != nil {
		return err
	}
	return out.Flush()
}

func copyRows(to writer, rows Rows) error {
	types, err := rows.ColumnTypes()
	if err != nil {
		return fmt.Errorf("read the columns: %w", err)
	}
	columns := make([]column, len(types))
	values, places := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		columns[i] = column{t.Name(), t.DatabaseTypeName()}
		places[i] = &values[i]
	}
	if err := to.begin(columns); err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
		if err := to.row(values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return to.end()
}

// csvWriter writes RFC 4180: a header, NULL as nothing.
type csvWriter struct {
	out     *csv.Writer
	columns []column
	record  []string
}

func (w *csvWriter) begin(columns []column) error {
	w.columns, w.record = columns, make([]string, len(columns))
	for i, c := range columns {
		w.record[i] = c.name
	}
	return w.out.Write(w.record)
}

func (w *csvWriter) row(values []any) error {
	for i, v := range values {
		w.record[i] = text(v, w.columns[i].dbType)
	}
	return w.out.Write(w.record)
}

func (w *csvWriter) end() error {
	w.out.Flush()
	return w.out.Error()
}

// jsonWriter writes an object a row, its keys in the order of the columns: one
// a line, or all in an array.
type jsonWriter struct {
	out     *bufio.Writer
	array   bool
	columns []column
	keys    [][]byte
	rows    int
	line    []byte
}

func (w *jsonWriter) begin(columns []column) error {
	w.columns = columns
	for _, c := range columns {
		key, err := appendString(nil, c.name)
		if err != nil {
			return err
		}
		w.keys = append(w.keys, append(key, ':'))
	}
	if w.array {
		return w.out.WriteByte('[')
	}
	return nil
}

func (w *jsonWriter) row(values []any) error {
	w.line = w.line[:0]
	if w.array && w.rows > 0 {
		w.line = append(w.line, ',')
	}
	if w.array {
		w.line = append(w.line, '\n')
	}
	w.rows++
	w.line = append(w.line, '{')
	for i, v := range values {
		if i > 0 {
			w.line = append(w.line, ',')
		}
		w.line = append(w.line, w.keys[i]...)
		var err error
		if w.line, err = appendJSON(w.line, v, w.columns[i].dbType); err != nil {
			return fmt.Errorf("column %s: %w", w.columns[i].name, err)
		}
	}
	w.line = append(w.line, '}')
	if !w.array {
		w.line = append(w.line, '\n')
	}
	_, err := w.out.Write(w.line)
	return err
}

func (w *jsonWriter) end() error {
	if !w.array {
		return nil
	}
	if w.rows > 0 {
		w.line = append(w.line[:0], '\n')
		if _, err := w.out.Write(w.line); err != nil {
			return err
		}
	}
	_, err := w.out.WriteString("]\n")
	return err
}

// page is how many rows a table lays out at a time: a page keeps the widths of
// the first unless it has to be wider.
const page = 1000

// table writes aligned columns under a header, numbers to the right. On a
// terminal, values are cut where a row would not fit.
type table struct {
	out      *bufio.Writer
	width    int
	markdown bool
	columns  []column
	widths   []int
	cells    [][]string
	begun    bool
}

func (w *table) begin(columns []column) error {
	w.columns, w.widths = columns, make([]int, len(columns))
	for i, c := range columns {
		w.widths[i] = max(utf8.RuneCountInString(w.clean(c.name)), 3)
	}
	return nil
}

func (w *table) row(values []any) error {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = w.clean(text(v, w.columns[i].dbType))
		if v == nil {
			cells[i] = "NULL"
		}
	}
	w.cells = append(w.cells, cells)
	if len(w.cells) < page {
		return nil
	}
	return w.flush()
}

func (w *table) end() error { return w.flush() }

// clean keeps a value on its line and in its column.
func (w *table) clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
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
	for _, cells := range w.cells {
		for i, cell := range cells {
			w.widths[i] = max(w.widths[i], utf8.RuneCountInString(cell))
		}
	}
	if !w.begun {
		w.begun = true
		w.fit()
		names := make([]string, len(w.columns))
		for i, c := range w.columns {
			names[i] = w.clean(c.name)
		}
		if err := w.print(names); err != nil {
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

// fit narrows the widest columns until a row fits the terminal.
func (w *table) fit() {
	const narrowest = 8
	if w.width == 0 || w.markdown {
		return
	}
	for {
		total, widest := 2*(len(w.widths)-1), 0
		for i, width := range w.widths {
			total += width
			if width > w.widths[widest] {
				widest = i
			}
		}
		if total <= w.width || w.widths[widest] <= narrowest {
			return
		}
		w.widths[widest] = max(narrowest, w.widths[widest]-(total-w.width), secondWidest(w.widths, widest))
		if w.widths[widest] == secondWidest(w.widths, widest) {
			w.widths[widest]--
		}
	}
}

func secondWidest(widths []int, widest int) int {
	second := 0
	for i, width := range widths {
		if i != widest {
			second = max(second, width)
		}
	}
	return second
}

func (w *table) print(cells []string) error {
	var line strings.Builder
	for i, cell := range cells {
		if w.markdown {
			line.WriteString("| ")
		} else if i > 0 {
			line.WriteString("  ")
		}
		n := utf8.RuneCountInString(cell)
		if w.width > 0 && n > w.widths[i] {
			cell = string([]rune(cell)[:w.widths[i]-1]) + "…"
			n = w.widths[i]
		}
		pad := strings.Repeat(" ", max(0, w.widths[i]-n))
		if w.columns[i].number() {
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

func (w *table) rule() error {
	var parts []string
	for i, c := range w.columns {
		dashes := strings.Repeat("-", w.widths[i])
		if w.markdown && c.number() {
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

// number says that the column's values are aligned at their ends.
func (c column) number() bool {
	for _, prefix := range []string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL"} {
		if c.dbType == prefix || strings.HasPrefix(c.dbType, "DECIMAL(") {
			return true
		}
	}
	return false
}
