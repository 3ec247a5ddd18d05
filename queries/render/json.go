package render

import (
	"bufio"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// objects writes an object a row, its keys in the order of the columns: one a
// line, or all in an array.
type objects struct {
	out   *bufio.Writer
	array bool
	keys  [][]byte
	rows  int
	line  []byte
}

func (w *objects) begin(schema *arrow.Schema) error {
	for _, f := range schema.Fields() {
		w.keys = append(w.keys, append(appendString(nil, f.Name), ':'))
	}
	if w.array {
		return w.out.WriteByte('[')
	}
	return nil
}

func (w *objects) batch(rows arrow.RecordBatch) error {
	columns := rows.Columns()
	for i := range int(rows.NumRows()) {
		w.line = w.line[:0]
		if w.array && w.rows > 0 {
			w.line = append(w.line, ',')
		}
		if w.array {
			w.line = append(w.line, '\n')
		}
		w.rows++
		w.line = append(w.line, '{')
		for c, column := range columns {
			if c > 0 {
				w.line = append(w.line, ',')
			}
			w.line = append(w.line, w.keys[c]...)
			w.line = appendJSON(w.line, column, i)
		}
		w.line = append(w.line, '}')
		if !w.array {
			w.line = append(w.line, '\n')
		}
		if _, err := w.out.Write(w.line); err != nil {
			return err
		}
	}
	return nil
}

func (w *objects) end() error {
	if !w.array {
		return nil
	}
	if w.rows > 0 {
		if err := w.out.WriteByte('\n'); err != nil {
			return err
		}
	}
	_, err := w.out.WriteString("]\n")
	return err
}

// appendJSON appends a value as JSON. What JSON has no number for (NaN,
// infinities) becomes a string; decimals and huge integers stay exact numbers.
func appendJSON(b []byte, column arrow.Array, i int) []byte {
	if column.IsNull(i) {
		return append(b, "null"...)
	}
	switch c := column.(type) {
	case *array.Struct:
		return appendStruct(b, c, i)
	case *array.Map:
		return appendMap(b, c, i)
	case array.ListLike:
		first, end := c.ValueOffsets(i)
		return appendList(b, c.ListValues(), int(first), int(end))
	case array.Union:
		child, at := c.Field(c.ChildID(i)), i
		if dense, ok := c.(*array.DenseUnion); ok {
			at = int(dense.ValueOffset(i))
		}
		return appendJSON(b, child, at)
	case *array.Dictionary:
		return appendJSON(b, c.Dictionary(), c.GetValueIndex(i))
	case array.ExtensionArray:
		return appendJSON(b, c.Storage(), i)
	case *array.Float64:
		return appendJSONFloat(b, c.Value(i), 64)
	case *array.Float32:
		return appendJSONFloat(b, float64(c.Value(i)), 32)
	case *array.Decimal128:
		return appendText(b, c, i)
	case *array.String:
		return appendString(b, c.Value(i))
	case *array.Null:
		return append(b, "null"...)
	}
	if text, ok := appendInteger(b, column, i); ok {
		return text
	}
	return appendString(b, string(appendText(nil, column, i)))
}

func appendJSONFloat(b []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return appendString(b, string(appendFloat(nil, v, bits)))
	}
	return appendFloat(b, v, bits)
}

func appendList(b []byte, values arrow.Array, first, end int) []byte {
	b = append(b, '[')
	for i := first; i < end; i++ {
		if i > first {
			b = append(b, ',')
		}
		b = appendJSON(b, values, i)
	}
	return append(b, ']')
}

func appendStruct(b []byte, c *array.Struct, i int) []byte {
	b = append(b, '{')
	for f, field := range c.DataType().(*arrow.StructType).Fields() {
		if f > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, field.Name), ':')
		b = appendJSON(b, c.Field(f), i)
	}
	return append(b, '}')
}

// appendMap writes an object, its keys in the map's order.
func appendMap(b []byte, c *array.Map, i int) []byte {
	first, end := c.ValueOffsets(i)
	b = append(b, '{')
	for k := int(first); k < int(end); k++ {
		if k > int(first) {
			b = append(b, ',')
		}
		b = append(appendString(b, string(appendText(nil, c.Keys(), k))), ':')
		b = appendJSON(b, c.Items(), k)
	}
	return append(b, '}')
}

// appendString quotes as JSON does, and no more than it must.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r < ' ':
			const digits = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
