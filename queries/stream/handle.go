package stream

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	duckdb "github.com/duckdb/duckdb-go-bindings"
	driver "github.com/duckdb/duckdb-go/v2"
)

// handleOf finds the connection to DuckDB under one of database/sql. The driver
// keeps it in a field that it doesn't export, and has no other way to a result
// that streams; its version stands in go.mod, and every test of this package
// fails if the field is no longer there.
func handleOf(conn *sql.Conn) (duckdb.Connection, error) {
	var handle duckdb.Connection
	err := conn.Raw(func(under any) error {
		of, ok := under.(*driver.Conn)
		if !ok {
			return fmt.Errorf("a connection of %T is not DuckDB's", under)
		}
		field := reflect.ValueOf(of).Elem().FieldByName("conn")
		if !field.IsValid() || field.Type() != reflect.TypeFor[duckdb.Connection]() {
			return errors.New("DuckDB's driver keeps its connection elsewhere than this program knows")
		}
		handle.Ptr = field.FieldByName("Ptr").UnsafePointer()
		return nil
	})
	return handle, err
}
