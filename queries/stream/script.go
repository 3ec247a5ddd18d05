package stream

import (
	"errors"
	"fmt"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// ErrNoStatement reports a text without SQL.
var ErrNoStatement = errors.New("no statement")

// script is a text's statements, parsed but not yet bound to tables: the second
// may need what the first creates.
type script struct {
	handle     duckdb.Connection
	statements duckdb.ExtractedStatements
	count      int
	prepared   map[int]duckdb.PreparedStatement // before their turn
}

func extract(handle duckdb.Connection, text string) (*script, error) {
	s := &script{handle: handle, prepared: map[int]duckdb.PreparedStatement{}}
	s.count = int(duckdb.ExtractStatements(handle, text, &s.statements))
	if s.count > 0 {
		return s, nil
	}
	defer s.destroy()
	if problem := duckdb.ExtractStatementsError(s.statements); problem != "" {
		return nil, &Error{problem}
	}
	return nil, ErrNoStatement
}

func (s *script) destroy() {
	for _, statement := range s.prepared {
		duckdb.DestroyPrepare(&statement)
	}
	duckdb.DestroyExtracted(&s.statements)
}

// prepare prepares a statement, once: DuckDB takes its text out of the script.
func (s *script) prepare(i int) (duckdb.PreparedStatement, error) {
	if statement, ok := s.prepared[i]; ok {
		delete(s.prepared, i)
		return statement, nil
	}
	var statement duckdb.PreparedStatement
	if duckdb.PrepareExtractedStatement(s.handle, s.statements, duckdb.IdxT(i), &statement) == duckdb.StateError {
		err := &Error{duckdb.PrepareError(statement)}
		duckdb.DestroyPrepare(&statement)
		return statement, err
	}
	return statement, nil
}

// onlyReads refuses a script with statements other than queries.
func (s *script) onlyReads() error {
	for i := range s.count {
		statement, err := s.prepare(i)
		if err != nil {
			return err
		}
		s.prepared[i] = statement
		kind := duckdb.PreparedStatementType(statement)
		if kind != duckdb.StatementTypeSelect && kind != duckdb.StatementTypeExplain {
			return &KindError{Statement: i + 1}
		}
	}
	return nil
}

// KindError reports that a statement, counted from 1, is not a query.
type KindError struct{ Statement int }

func (e *KindError) Error() string {
	return fmt.Sprintf("statement %d is not a query", e.Statement)
}

// bound prepares a statement and binds its parameters.
func (s *script) bound(i int, values *arguments) (duckdb.PreparedStatement, error) {
	statement, err := s.prepare(i)
	if err != nil {
		return statement, err
	}
	if err := values.bind(statement); err != nil {
		duckdb.DestroyPrepare(&statement)
		return duckdb.PreparedStatement{}, err
	}
	return statement, nil
}

// execute runs a statement to its end or, streaming, up to its first rows.
func execute(statement duckdb.PreparedStatement, streaming bool) (duckdb.Result, error) {
	start := duckdb.PendingPrepared
	if streaming {
		// Deprecated in DuckDB, which has no other way to stream.
		start = duckdb.PendingPreparedStreaming
	}
	var pending duckdb.PendingResult
	defer func() { duckdb.DestroyPending(&pending) }()
	if start(statement, &pending) == duckdb.StateError {
		return duckdb.Result{}, &Error{duckdb.PendingError(pending)}
	}
	var result duckdb.Result
	if duckdb.ExecutePending(pending, &result) == duckdb.StateError {
		err := &Error{duckdb.ResultError(&result)}
		duckdb.DestroyResult(&result)
		return duckdb.Result{}, err
	}
	return result, nil
}
