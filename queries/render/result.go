// Package render writes the rows that a query returns: as a table for
// people, as csv, tsv, json, jsonl, parquet and arrow for programs, as markdown
// for documents, and a single value for scripts.
package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"

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

// Options are how rows are written.
type Options struct {
	Format  string
	Width   int   // of the terminal, in columns; 0: tables are as wide as they are
	MaxRows int64 // how many rows are written at most; 0: all
}

// Written says what was written.
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

type format struct {
	name    string
	binary  bool // nothing for a terminal
	keyed   bool // a column's name is a key, so that no two may be the same
	encoder func(out *bufio.Writer, o Options) encoder
}

func formats() []format {
	return []format{
		{name: "table", encoder: func(out *bufio.Writer, o Options) encoder { return newSheet(out, o.Width) }},
		{name: "csv", encoder: func(out *bufio.Writer, _ Options) encoder {
			return &delimited{out: out, field: appendCSV, between: ','}
		}},
		{name: "tsv", encoder: func(out *bufio.Writer, _ Options) encoder {
			return &delimited{out: out, field: appendTSV, between: '\t'}
		}},
		{name: "json", keyed: true, encoder: func(out *bufio.Writer, _ Options) encoder { return &objects{out: out, array: true} }},
		{name: "jsonl", keyed: true, encoder: func(out *bufio.Writer, _ Options) encoder { return &objects{out: out} }},
		{name: "markdown", encoder: func(out *bufio.Writer, _ Options) encoder { return newMarkdown(out) }},
		{name: "parquet", binary: true, keyed: true, encoder: func(out *bufio.Writer, _ Options) encoder { return &parquetFile{out: out} }},
		{name: "arrow", binary: true, keyed: true, encoder: func(out *bufio.Writer, _ Options) encoder { return &arrowStream{out: out} }},
		{name: "value", encoder: func(out *bufio.Writer, _ Options) encoder { return &single{out: out} }},
	}
}

// Formats lists what Write knows.
func Formats() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// Binary says that a format is not for a terminal.
func Binary(name string) bool {
	f, err := find(name)
	return err == nil && f.binary
}

func find(name string) (format, error) {
	for _, f := range formats() {
		if f.name == name {
			return f, nil
		}
	}
	return format{}, fmt.Errorf("no format %q: use one of %s", name, strings.Join(Formats(), ", "))
}

// Write writes the rows to w. All formats but table, markdown and parquet hold
// a batch in memory at a time; tables are laid out a thousand rows at a time,
// Parquet is written by the row group.
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
		// What came before the error is the person's.
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

// copyBatch hands over the first n rows.
func copyBatch(to encoder, rows arrow.RecordBatch, schema *arrow.Schema, n int64) error {
	named := array.NewRecordBatch(schema, rows.Columns(), rows.NumRows())
	defer named.Release()
	first := named.NewSlice(0, n)
	defer first.Release()
	return to.batch(first)
}

// uniqueNames gives the second column of a name the name and _1, as DuckDB does
// where it needs to tell them apart.
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
