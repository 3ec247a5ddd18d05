package render

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
)

// single writes exactly one value, for a script's variable. NULL is an empty
// line.
type single struct {
	out  *bufio.Writer
	rows int64
	text []byte
}

func (w *single) begin(schema *arrow.Schema) error {
	if n := schema.NumFields(); n != 1 {
		return fmt.Errorf("format value needs one column: there are %d", n)
	}
	return nil
}

func (w *single) batch(rows arrow.RecordBatch) error {
	if w.rows += rows.NumRows(); w.rows > 1 {
		return errors.New("format value needs one row: there are more")
	}
	w.text = append(appendText(w.text, rows.Column(0), 0), '\n')
	return nil
}

func (w *single) end() error {
	if w.rows == 0 {
		return errors.New("format value needs one row: there is none")
	}
	_, err := w.out.Write(w.text)
	return err
}
