// Package stream runs SQL and hands its rows out as Arrow record batches, a
// chunk at a time, as DuckDB makes them. database/sql would do for small
// answers, but DuckDB's driver has a result's every row in memory before it
// gives the first, and can't tell an error in the middle from the end.
package stream

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Options are how SQL is run.
type Options struct {
	// Arguments are bound to parameters: one of sql.Named to $name, others in
	// their order to ?, or $1 and so on.
	Arguments []any
	// ReadOnly refuses statements of other kinds than SELECT and EXPLAIN, before
	// any of them runs.
	ReadOnly bool
	// Spare lets arguments be that no statement asks for.
	Spare bool
}

// Reader gives the rows of the last statement. It is read once, by one
// goroutine, and has to be closed.
type Reader struct {
	ctx       context.Context
	conn      *sql.Conn
	handle    duckdb.Connection
	options   arrowOptions
	statement duckdb.PreparedStatement
	result    duckdb.Result
	kind      duckdb.ResultType
	schema    *arrow.Schema
	batch     arrow.RecordBatch
	err       error
	quiet     func() // ends the watch over the context
}

// Query runs the statements of text in turn and returns a reader of what the
// last one gives, which goes on while it is read. When ctx ends, the statement
// under way is interrupted, and the reader's error is ctx's.
func Query(ctx context.Context, db *sql.DB, text string, o Options) (*Reader, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	handle, err := handleOf(conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	r := &Reader{ctx: ctx, conn: conn, handle: handle, quiet: interruptWhenDone(ctx, handle)}
	if err := r.run(text, o); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// run starts the last statement, when those before it are done.
func (r *Reader) run(text string, o Options) error {
	script, err := extract(r.handle, text)
	if err != nil {
		return err
	}
	defer script.destroy()
	if o.ReadOnly {
		if err := script.onlyReads(); err != nil {
			return err
		}
	}
	values := newArguments(o.Arguments)
	for i := range script.count {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		statement, err := script.bound(i, values)
		if err != nil {
			return r.failed(err)
		}
		if i == script.count-1 {
			r.statement = statement
			break
		}
		result, err := execute(statement, false)
		duckdb.DestroyResult(&result)
		duckdb.DestroyPrepare(&statement)
		if err != nil {
			return r.failed(err)
		}
	}
	if err := values.unused(); err != nil && !o.Spare {
		return err
	}
	if r.result, err = execute(r.statement, true); err != nil {
		return r.failed(err)
	}
	r.kind = duckdb.ResultReturnType(r.result)
	r.options = arrowOptionsOf(r.handle)
	r.schema, err = r.options.schema(&r.result)
	return err
}

// failed is what went wrong: that the context ended, if it has.
func (r *Reader) failed(err error) error {
	if ended := r.ctx.Err(); ended != nil {
		return ended
	}
	if isInterrupt(err) && r.statement.Ptr != nil && duckdb.PreparedStatementType(r.statement) == duckdb.StatementTypeSelect {
		return r.reason(err)
	}
	return err
}

// reason looks for what went wrong in a question that nobody interrupted. When
// a thread of DuckDB's fails it interrupts the others, and now and then one of
// them is heard first. So the statement runs again, for its error alone.
func (r *Reader) reason(err error) error {
	for range 5 {
		duckdb.DestroyResult(&r.result)
		var again error
		if r.result, again = execute(r.statement, true); again == nil {
			for chunk := r.fetch(); chunk.Ptr != nil; chunk = r.fetch() {
				duckdb.DestroyDataChunk(&chunk)
			}
			again = r.problem()
		}
		if ended := r.ctx.Err(); ended != nil {
			return ended
		}
		if again != nil && !isInterrupt(again) {
			return again
		}
	}
	return err
}

func (r *Reader) fetch() duckdb.DataChunk { return duckdb.FetchChunk(r.result) }

// problem is why there is no further chunk; nil at the end.
func (r *Reader) problem() error {
	if text := duckdb.ResultError(&r.result); text != "" {
		return &Error{text}
	}
	return nil
}

// Schema names the columns and their types.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// Returns says whether the last statement gives rows at all; one that changes
// something, or sets it, does not.
func (r *Reader) Returns() bool { return r.kind == duckdb.ResultTypeQueryResult }

// Changed is how many rows a statement that gives none has changed, once Next
// was false.
func (r *Reader) Changed() int64 { return int64(duckdb.RowsChanged(&r.result)) }

// Next goes on to the next batch, of some two thousand rows; the one before it
// is no longer there. It is false at the end, and after an error.
func (r *Reader) Next() bool {
	r.release()
	if r.err != nil {
		return false
	}
	if r.err = r.ctx.Err(); r.err != nil {
		return false
	}
	chunk := r.fetch()
	if chunk.Ptr == nil {
		if err := r.problem(); err != nil {
			r.err = r.failed(err)
		}
		return false
	}
	defer duckdb.DestroyDataChunk(&chunk)
	r.batch, r.err = r.options.batch(r.schema, chunk)
	return r.err == nil
}

// Batch is the batch that Next went to.
func (r *Reader) Batch() arrow.RecordBatch { return r.batch }

// Err says why Next ended too early; nil if it did not.
func (r *Reader) Err() error { return r.err }

func (r *Reader) release() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}

// Close ends the statement, whether it was read to its end or not.
func (r *Reader) Close() error {
	r.release()
	r.quiet()
	duckdb.DestroyResult(&r.result)
	duckdb.DestroyPrepare(&r.statement)
	r.options.destroy()
	return r.conn.Close()
}

// interruptEvery is how often an interrupt is repeated: one that comes between
// two steps of DuckDB may be forgotten.
const interruptEvery = 20 * time.Millisecond

// interruptWhenDone interrupts what runs on the connection as soon as ctx ends,
// until the function that it returns is called; that one waits for its end, so
// that no interrupt meets a later statement.
func interruptWhenDone(ctx context.Context, handle duckdb.Connection) (quiet func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		ticker := time.NewTicker(interruptEvery)
		defer ticker.Stop()
		for {
			duckdb.Interrupt(handle)
			select {
			case <-over:
				return
			case <-ticker.C:
			}
		}
	}()
	return func() { close(over); <-ended }
}
