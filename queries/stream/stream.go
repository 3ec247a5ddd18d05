// Package stream executes SQL and streams the rows as Arrow record batches, one
// per chunk, as DuckDB produces them. For small answers database/sql is enough.
// But DuckDB's driver for it holds all rows in memory before it returns the first,
// and does not report an error that comes after some rows.
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

// Options are the options of Query.
type Options struct {
	// Arguments are bound to parameters: one from sql.Named to $name, others in
	// order to ? or to $1, $2, ...
	Arguments []any
	// ReadOnly refuses statements other than SELECT and EXPLAIN before any of
	// them runs.
	ReadOnly bool
	// Spare allows arguments that no statement uses.
	Spare bool
}

// Reader returns the rows of the last statement. It is for one goroutine, and
// must be closed.
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
	quiet     func() // stops watching the context
}

// Query runs the statements of text in turn and returns a reader of the rows of
// the last, which runs while they are read. When ctx ends, the running statement
// is interrupted, and the reader's error is ctx's.
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

// run runs the statements, and starts the last.
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

// failed returns the error of a statement: the context's, if it has ended.
func (r *Reader) failed(err error) error {
	if ended := r.ctx.Err(); ended != nil {
		return ended
	}
	if isInterrupt(err) && r.statement.Ptr != nil && duckdb.PreparedStatementType(r.statement) == duckdb.StatementTypeSelect {
		return r.reason(err)
	}
	return err
}

// reason finds why a query failed that nobody interrupted. When a thread of
// DuckDB fails it interrupts the others, and sometimes one of these reports first.
// So the query runs again, for its error alone.
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

// problem returns why there is no further chunk; nil at the end.
func (r *Reader) problem() error {
	if text := duckdb.ResultError(&r.result); text != "" {
		return &Error{text}
	}
	return nil
}

// Schema returns the columns and their types.
func (r *Reader) Schema() *arrow.Schema { return r.schema }

// Returns reports whether the last statement returns rows; one that changes
// rows or settings does not.
func (r *Reader) Returns() bool { return r.kind == duckdb.ResultTypeQueryResult }

// Changed returns how many rows a statement that returns none has changed, after
// Next returned false.
func (r *Reader) Changed() int64 { return int64(duckdb.RowsChanged(&r.result)) }

// Next advances to the next batch, of some two thousand rows, and releases the
// one before it. It returns false at the end and after an error.
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

// Batch returns the current batch.
func (r *Reader) Batch() arrow.RecordBatch { return r.batch }

// Err returns the error that ended Next, if any.
func (r *Reader) Err() error { return r.err }

func (r *Reader) release() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}

// Close ends the statement, whether all its rows were read or not.
func (r *Reader) Close() error {
	r.release()
	r.quiet()
	duckdb.DestroyResult(&r.result)
	duckdb.DestroyPrepare(&r.statement)
	r.options.destroy()
	return r.conn.Close()
}

// interruptEvery is how often an interrupt is repeated: DuckDB may forget one
// that comes between two steps.
const interruptEvery = 20 * time.Millisecond

// interruptWhenDone interrupts what runs on the connection when ctx ends, until
// the returned function is called. That function waits, so that no interrupt
// reaches a later statement.
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
