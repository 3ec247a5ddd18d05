package render

import (
	"bufio"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

// single writes one value and no more, for a script's variable. NULL is an
// empty line.
type single struct {
	out  *bufio.Writer
	rows int64
	text []byte
}

func (w *single) begin(schema *arrow.Schema) error {
	if n := schema.NumFields(); n != 1 {
		return fmt.Errorf("one value was asked for, and there are %d columns", n)
	}
	return nil
}

func (w *single) batch(rows arrow.RecordBatch) error {
	if w.rows += rows.NumRows(); w.rows > 1 {
		return fmt.Errorf("one value was asked for, and there are more rows than one")
	}
	w.text = append(appendText(w.text, rows.Column(0), 0), '\n')
	return nil
}

func (w *single) end() error {
	if w.rows == 0 {
		return fmt.Errorf("one value was asked for, and there is no row")
	}
	_, err := w.out.Write(w.text)
	return err
}
