package render

import (
	"bufio"
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
)

// delimited writes a header and a line a row, fields with a delimiter between
// them.
type delimited struct {
	out     *bufio.Writer
	field   func(line, text []byte) []byte
	between byte
	line    []byte
	text    []byte
}

func (w *delimited) begin(schema *arrow.Schema) error {
	for i, f := range schema.Fields() {
		if i > 0 {
			w.line = append(w.line, w.between)
		}
		w.line = w.field(w.line, []byte(f.Name))
	}
	return w.flush()
}

func (w *delimited) batch(rows arrow.RecordBatch) error {
	columns := rows.Columns()
	for i := range int(rows.NumRows()) {
		for c, column := range columns {
			if c > 0 {
				w.line = append(w.line, w.between)
			}
			if column.IsNull(i) {
				continue
			}
			w.text = appendText(w.text[:0], column, i)
			w.line = w.field(w.line, w.text)
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (w *delimited) end() error { return nil }

func (w *delimited) flush() error {
	_, err := w.out.Write(append(w.line, '\n'))
	w.line = w.line[:0]
	return err
}

// appendCSV writes a field by RFC 4180. An empty text is "", which NULL is not.
func appendCSV(line, text []byte) []byte {
	if len(text) > 0 && !bytes.ContainsAny(text, ",\"\r\n") && text[0] != ' ' && text[len(text)-1] != ' ' {
		return append(line, text...)
	}
	line = append(line, '"')
	for _, c := range text {
		if c == '"' {
			line = append(line, '"')
		}
		line = append(line, c)
	}
	return append(line, '"')
}

// appendTSV writes a field with no tab and no end of line in it: those are \t,
// \n and \r, and a backslash is \\.
func appendTSV(line, text []byte) []byte {
	for _, c := range text {
		switch c {
		case '\t':
			line = append(line, `\t`...)
		case '\n':
			line = append(line, `\n`...)
		case '\r':
			line = append(line, `\r`...)
		case '\\':
			line = append(line, `\\`...)
		default:
			line = append(line, c)
		}
	}
	return line
}
