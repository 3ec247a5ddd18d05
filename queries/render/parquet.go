package render

import (
	"bufio"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// Row groups are what a reader reads at a time, and what a writer holds.
const (
	groupRows  = 122_880 // as DuckDB's own
	groupBytes = 64 << 20
)

// parquetFile writes Parquet with zstd. Its statistics, dictionaries and types
// are those that every reader knows: an ENUM is text there.
type parquetFile struct {
	out *bufio.Writer
	to  *pqarrow.FileWriter
}

func (w *parquetFile) begin(schema *arrow.Schema) error {
	for _, f := range schema.Fields() {
		if t := withoutParquet(f.Type); t != nil {
			return fmt.Errorf("column %s: %s has no form in Parquet: cast it to VARCHAR", f.Name, t)
		}
	}
	properties := parquet.NewWriterProperties(
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithMaxRowGroupLength(groupRows),
	)
	// The file's writer closes what it writes to, if that can be closed.
	var err error
	w.to, err = pqarrow.NewFileWriter(schema, struct{ io.Writer }{w.out}, properties, pqarrow.DefaultWriterProps())
	return err
}

func (w *parquetFile) batch(rows arrow.RecordBatch) error {
	if err := w.to.WriteBuffered(rows); err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	if w.to.RowGroupTotalBytesWritten() < groupBytes {
		return nil
	}
	return w.to.NewBufferedRowGroupChecked()
}

func (w *parquetFile) end() error { return w.to.Close() }

// withoutParquet finds a type that Parquet has nothing for, in t or below it.
func withoutParquet(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.MonthDayNanoIntervalType, arrow.UnionType:
		return t
	case arrow.NestedType:
		for _, f := range t.Fields() {
			if bad := withoutParquet(f.Type); bad != nil {
				return bad
			}
		}
	}
	return nil
}
