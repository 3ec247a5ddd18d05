package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse/record"
)

// Append adds a batch within the transaction of conn. A machine that is there
// already is left as it is.
func Append(ctx context.Context, conn *sql.Conn, b record.Batch) error {
	machines := b.Machines
	b.Machines = nil
	for _, m := range machines {
		var there bool
		if err := conn.QueryRowContext(ctx, "SELECT count(*) > 0 FROM machines WHERE machine_id = ?", m.ID).Scan(&there); err != nil {
			return fmt.Errorf("look for machine %s: %w", m.ID, err)
		}
		if !there {
			b.Machines = append(b.Machines, m)
		}
	}
	if err := Insert(conn, "", b); err != nil {
		return err
	}
	for _, end := range b.RunEnds {
		n, err := Exec(ctx, conn, "UPDATE runs SET ended_at = ?, status = ?, error = ? WHERE run_id = ?", end.EndedAt, end.Status, end.Error, end.RunID)
		if err != nil {
			return fmt.Errorf("end run %s: %w", end.RunID, err)
		}
		if n != 1 {
			return fmt.Errorf("end run %s: there is no such run", end.RunID)
		}
	}
	return nil
}

// Insert adds the rows of a batch, but not the ends of runs, to the tables of a
// catalog, "" being the current one.
func Insert(conn *sql.Conn, catalog string, b record.Batch) error {
	for _, t := range Rows(b) {
		if err := t.insert(conn, catalog); err != nil {
			return fmt.Errorf("append to %s: %w", t.Table, err)
		}
	}
	return nil
}

// TableRows are rows for one table.
type TableRows struct {
	Table   string
	Columns []record.Column
	Rows    []any // structs of package record
}

// Rows lists a batch's rows by table, owners before what belongs to them.
func Rows(b record.Batch) []TableRows {
	return []TableRows{
		tableRows("machines", b.Machines), tableRows("runs", b.Runs), tableRows("sessions", b.Sessions), tableRows("loads", b.Loads),
		tableRows("stages", b.Stages), tableRows("inferences", b.Inferences), tableRows("samples", b.Samples),
		tableRows("io_trace", b.IOTraces), tableRows("rooflines", b.Rooflines),
	}
}

func tableRows[T any](table string, all []T) TableRows {
	t := TableRows{Table: table, Columns: record.TableColumns(reflect.TypeFor[T]())}
	for _, row := range all {
		t.Rows = append(t.Rows, row)
	}
	return t
}

// insert passes the rows to DuckDB's appender, in the transaction of conn.
// Columns are matched by name: an older file may have them in another order.
func (t TableRows) insert(conn *sql.Conn, catalog string) error {
	if len(t.Rows) == 0 {
		return nil
	}
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return conn.Raw(func(c any) error {
		a, err := duckdb.NewAppenderWithColumns(c.(driver.Conn), catalog, "", t.Table, names)
		if err != nil {
			return err
		}
		for _, row := range t.Rows {
			values, err := valuesOf(reflect.ValueOf(row), t.Columns)
			if err != nil {
				return errors.Join(err, a.Close())
			}
			if err := a.AppendRow(values...); err != nil {
				return errors.Join(err, a.Close())
			}
		}
		return a.Close()
	})
}

// uuids are the columns of type UUID; records hold them as text.
var uuids = map[string]bool{"run_id": true, "collect_id": true, "roofline_id": true}

// valuesOf converts a record's columns to what the appender takes.
func valuesOf(row reflect.Value, columns []record.Column) ([]driver.Value, error) {
	values := make([]driver.Value, 0, len(columns))
	for _, c := range columns {
		field := row.FieldByIndex(c.Index)
		if field.Kind() == reflect.Pointer {
			if field.IsNil() {
				values = append(values, nil)
				continue
			}
			field = field.Elem()
		}
		switch v := field.Interface().(type) {
		case string:
			if !uuids[c.Name] {
				values = append(values, v)
				continue
			}
			id, err := uuid.Parse(v)
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", c.Name, err)
			}
			values = append(values, duckdb.UUID(id))
		case map[string]string:
			m := duckdb.Map{}
			for key, value := range v {
				m[key] = value
			}
			values = append(values, m)
		case time.Time:
			values = append(values, v.UTC())
		default:
			values = append(values, v)
		}
	}
	return values, nil
}
