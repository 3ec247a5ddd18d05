package stream

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	duckdb "github.com/duckdb/duckdb-go-bindings"
	driver "github.com/duckdb/duckdb-go/v2"
)

// handleOf returns DuckDB's connection below one of database/sql. It reads an
// unexported field of the driver by reflection, since the driver exports neither
// the connection nor a result that streams. The driver's Arrow interface is no
// alternative: it needs a build tag, and it goes through the driver's own query,
// which holds all rows in memory before it returns the first. The driver's version
// is fixed in go.mod, and every test of this package fails if the field moves.
func handleOf(conn *sql.Conn) (duckdb.Connection, error) {
	var handle duckdb.Connection
	err := conn.Raw(func(under any) error {
		of, ok := under.(*driver.Conn)
		if !ok {
			return fmt.Errorf("%T is not a DuckDB connection", under)
		}
		field := reflect.ValueOf(of).Elem().FieldByName("conn")
		if !field.IsValid() || field.Type() != reflect.TypeFor[duckdb.Connection]() {
			return errors.New("this version of DuckDB's driver has no field conn with its connection")
		}
		handle.Ptr = field.FieldByName("Ptr").UnsafePointer()
		return nil
	})
	return handle, err
}
