// Package render writes answers. Write writes a result of SQL in any format;
// Summary, Comparison, Check and Trend write the typed answers of package
// queries; Table is for other tables that people read. All tables are drawn by
// tablewriter with a renderer of this package, which measures text as terminals
// draw it. What people read fits 80 columns unless a name is long.
package render

import (
	"bufio"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Reader is what a query returns: batches of rows until Next is false.
type Reader interface {
	Schema() *arrow.Schema
	Next() bool
	Batch() arrow.RecordBatch
	Err() error
}

// Options are those of Write.
type Options struct {
	Format  string // one of Formats
	Width   int    // of the terminal, in columns; 0: tables are not cut
	MaxRows int64  // write at most this many rows; 0: all
}

// Written is what Write wrote.
type Written struct {
	Rows int64
	Cut  bool // there were more rows than MaxRows
}

// encoder writes one format.
type encoder interface {
	begin(schema *arrow.Schema) error
	batch(rows arrow.RecordBatch) error
	end() error
}

// Write writes the rows to w. Tables and Markdown hold a thousand rows in
// memory, Parquet a row group, the other formats a batch.
func Write(w io.Writer, rows Reader, o Options) (Written, error) {
	f, err := find(o.Format)
	if err != nil {
		return Written{}, err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	schema := rows.Schema()
	if f.keyed {
		schema = uniqueNames(schema)
	}
	to := f.encoder(out, o)
	if err := to.begin(schema); err != nil {
		return Written{}, err
	}
	written, err := copyRows(to, rows, schema, o.MaxRows)
	if err != nil {
		// Keep what came before the error.
		out.Flush()
		return written, err
	}
	if err := to.end(); err != nil {
		return written, err
	}
	return written, out.Flush()
}

func copyRows(to encoder, rows Reader, schema *arrow.Schema, most int64) (Written, error) {
	var written Written
	for rows.Next() {
		n := rows.Batch().NumRows()
		if most > 0 && written.Rows+n > most {
			n, written.Cut = most-written.Rows, true
		}
		if n > 0 {
			if err := copyBatch(to, rows.Batch(), schema, n); err != nil {
				return written, err
			}
			written.Rows += n
		}
		if written.Cut {
			return written, nil
		}
	}
	return written, rows.Err()
}

// copyBatch encodes the first n rows.
func copyBatch(to encoder, rows arrow.RecordBatch, schema *arrow.Schema, n int64) error {
	named := array.NewRecordBatch(schema, rows.Columns(), rows.NumRows())
	defer named.Release()
	first := named.NewSlice(0, n)
	defer first.Release()
	return to.batch(first)
}

// uniqueNames appends _1 to the second column of a name, and so on, as DuckDB
// does where names must differ.
func uniqueNames(schema *arrow.Schema) *arrow.Schema {
	taken := map[string]bool{}
	for _, f := range schema.Fields() {
		taken[f.Name] = true
	}
	seen := map[string]bool{}
	fields := schema.Fields()
	for i := range fields {
		name := fields[i].Name
		for n := 1; seen[name] || (n > 1 && taken[name]); n++ {
			name = fmt.Sprintf("%s_%d", fields[i].Name, n)
		}
		seen[name] = true
		fields[i].Name = name
	}
	metadata := schema.Metadata()
	return arrow.NewSchema(fields, &metadata)
}
