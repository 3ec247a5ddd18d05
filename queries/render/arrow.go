package render

import (
	"bufio"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// arrowStream writes Arrow's IPC stream, a record batch for each that comes.
type arrowStream struct {
	out *bufio.Writer
	to  *ipc.Writer
}

func (w *arrowStream) begin(schema *arrow.Schema) error {
	w.to = ipc.NewWriter(w.out, ipc.WithSchema(schema))
	return nil
}

func (w *arrowStream) batch(rows arrow.RecordBatch) error {
	if err := w.to.Write(rows); err != nil {
		return fmt.Errorf("write arrow: %w", err)
	}
	return nil
}

func (w *arrowStream) end() error { return w.to.Close() }
