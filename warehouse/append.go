package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse/record"
)

// Log appends to a warehouse, a file or a folder of Parquet, which it has for
// the length of each append only. It is for concurrent use.
type Log struct {
	path    string
	options Options

	mu     sync.Mutex
	folder *folder // what it appends to where that is a folder
}

// NewLog appends to the warehouse at path: a file, or a folder if one is there
// or the path ends with a slash.
func NewLog(path string, o Options) *Log {
	l := &Log{path: path, options: o}
	if isDataset(path) {
		l.folder = &folder{dataset: dataset{filepath.Clean(path)}}
	}
	return l
}

// Append adds all rows of the batch or none. In a folder that holds for each
// table; a load that is there has all that belongs to it.
func (l *Log) Append(ctx context.Context, b record.Batch) error {
	if l.folder != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.folder.append(ctx, l.options, b)
	}
	o := l.options
	o.ReadOnly = false
	d, err := Open(ctx, l.path, o)
	if err != nil {
		return err
	}
	err = errors.Join(d.append(ctx, b), d.Close())
	if isFull(err) {
		return &fullError{"append to warehouse " + l.path, err}
	}
	return err
}

// read asks the warehouse, if it is there.
func (l *Log) read(ctx context.Context, ask func(*DB) error) error {
	o := l.options
	o.ReadOnly = true
	d, err := Open(ctx, l.path, o)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(ask(d), d.Close())
}

// rowsOf lists a batch's tables in the order in which they are written.
func rowsOf(b record.Batch) []tableRows {
	return []tableRows{
		rows("machines", b.Machines), rows("runs", b.Runs), rows("sessions", b.Sessions), rows("loads", b.Loads),
		rows("stages", b.Stages), rows("inferences", b.Inferences), rows("samples", b.Samples),
		rows("io_trace", b.IOTraces), rows("rooflines", b.Rooflines),
	}
}

// tablesInOrder are the tables that a data set holds.
func tablesInOrder() []string {
	var names []string
	for _, t := range rowsOf(record.Batch{}) {
		names = append(names, t.table)
	}
	return names
}

// tableRows are rows for one table.
type tableRows struct {
	table string
	kind  reflect.Type
	rows  []any
}

func rows[T any](table string, all []T) tableRows {
	t := tableRows{table: table, kind: reflect.TypeFor[T]()}
	for _, row := range all {
		t.rows = append(t.rows, row)
	}
	return t
}

func (d *DB) append(ctx context.Context, b record.Batch) error {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN TRANSACTION"); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	err = write(ctx, conn, b)
	if err == nil {
		if _, err = conn.ExecContext(ctx, "COMMIT"); err != nil {
			err = fmt.Errorf("append: %w", err)
		}
		return err
	}
	_, rollbackErr := conn.ExecContext(ctx, "ROLLBACK")
	return errors.Join(err, rollbackErr)
}

func write(ctx context.Context, conn *sql.Conn, b record.Batch) error {
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
	for _, t := range rowsOf(b) {
		if err := t.write(conn); err != nil {
			return fmt.Errorf("append to %s: %w", t.table, err)
		}
	}
	for _, end := range b.RunEnds {
		result, err := conn.ExecContext(ctx, "UPDATE runs SET ended_at = ?, status = ?, error = ? WHERE run_id = ?", end.EndedAt, end.Status, end.Error, end.RunID)
		if err != nil {
			return fmt.Errorf("end run %s: %w", end.RunID, err)
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return fmt.Errorf("end run %s: there is no such run (%w)", end.RunID, err)
		}
	}
	return nil
}

// write passes the rows to DuckDB's appender, within the connection's
// transaction. Columns are matched by name, so that a table of an older file
// may have them in another order.
func (t tableRows) write(conn *sql.Conn) error {
	if len(t.rows) == 0 {
		return nil
	}
	columns := record.TableColumns(t.kind)
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return conn.Raw(func(c any) error {
		a, err := duckdb.NewAppenderWithColumns(c.(driver.Conn), "", "", t.table, names)
		if err != nil {
			return err
		}
		for _, row := range t.rows {
			values, err := valuesOf(reflect.ValueOf(row), columns)
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

// EndLost marks as lost the runs of one machine that are said to run although
// alive says that their collector does not, and returns how many.
func (l *Log) EndLost(ctx context.Context, machineID string, alive func(pid int64, bootID string) bool) (int, error) {
	var b record.Batch
	err := l.read(ctx, func(d *DB) error {
		dead, err := d.dead(ctx, machineID, alive)
		for _, id := range dead {
			b.RunEnds = append(b.RunEnds, record.RunEnd{RunID: id, EndedAt: time.Now().UTC(), Status: record.StatusLost, Error: new("the collector died")})
		}
		return err
	})
	if err == nil {
		// Without a dead run too: what is wrong with the warehouse is told now.
		err = l.Append(ctx, b)
	}
	if err != nil {
		return 0, err
	}
	return len(b.RunEnds), nil
}

func (d *DB) dead(ctx context.Context, machineID string, alive func(int64, string) bool) ([]string, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT run_id::VARCHAR, pid, boot_id FROM runs WHERE status = ? AND machine_id = ? AND pid IS NOT NULL AND boot_id IS NOT NULL", record.StatusRunning, machineID)
	if err != nil {
		return nil, fmt.Errorf("look for lost runs: %w", err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id, boot string
		var pid int64
		if err := rows.Scan(&id, &pid, &boot); err != nil {
			return nil, fmt.Errorf("look for lost runs: %w", err)
		}
		if !alive(pid, boot) {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}
