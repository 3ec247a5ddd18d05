package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// importWarehouse adds the rows of another warehouse that are not there yet.
func (l *Log) importWarehouse(ctx context.Context, source string) (done Imported, err error) {
	if isSame(source, l.path) {
		return Imported{}, errors.New("it is the warehouse itself")
	}
	o := l.options
	o.ReadOnly = true
	from, err := Open(ctx, source, o)
	if err != nil {
		return Imported{}, err
	}
	if l.folder != nil {
		defer func() { err = errors.Join(err, from.Close()) }()
		return l.mergeIntoFolder(ctx, from)
	}
	// It could be opened, so its log is worked in and its schema known. The
	// warehouse that is added to reads it by itself.
	if err := from.Close(); err != nil {
		return Imported{}, err
	}
	o.ReadOnly = false
	doubled := false // it has a row twice, as when two copies of a data set were put together
	if err := check(l.path, o); err != nil {
		return Imported{}, err
	}
	if err := removeAbandoned(filepath.Dir(l.path), buildPrefix(l.path)); err != nil {
		return Imported{}, err
	}
	if _, err := os.Stat(l.path); errors.Is(err, fs.ErrNotExist) {
		done, err := l.build(ctx, source)
		doubled = isConstraint(err)
		if !doubled && !errors.Is(err, fs.ErrExist) { // made by another process meanwhile
			if err != nil {
				err = &oneLine{err}
			}
			return done, err
		}
	}
	to, err := Open(ctx, l.path, o)
	if err != nil {
		return Imported{}, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	conn, err := to.db.Conn(ctx)
	if err != nil {
		return Imported{}, err
	}
	defer conn.Close()
	m := merge{conn: conn, warn: o.warn}
	if err := m.read(ctx, to, source); err != nil {
		return Imported{}, err
	}
	done, err = m.merge(ctx, doubled)
	if !doubled && isConstraint(err) {
		done, err = m.merge(ctx, true)
	}
	if err != nil {
		return Imported{}, &oneLine{err}
	}
	return done, nil
}

func isConstraint(err error) bool {
	var e *duckdb.Error
	return errors.As(err, &e) && e.Type == duckdb.ErrorTypeConstraint
}

// mergeIntoFolder adds the rows to a data set, by an export.
func (l *Log) mergeIntoFolder(ctx context.Context, from *DB) (Imported, error) {
	tables, err := Export(ctx, from, l.folder.dir, ExportOptions{Append: true}, l.options)
	done := Imported{Kind: KindWarehouse}
	for _, t := range tables {
		done.count(t.Table, t.Rows)
		done.RunEnds += t.Ended
	}
	return done, err
}

func (i *Imported) count(table string, rows int64) {
	switch table {
	case "loads":
		i.Loads += rows
	case "rooflines":
		i.Rooflines += rows
	default:
		i.OtherRows += rows
	}
}

func isSame(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// merge adds to the tables of a warehouse file.
type merge struct {
	conn   *sql.Conn
	warn   func(string)
	shapes map[string]shape
	from   map[string]string // by table, the select of the rows that are to be added
}

// read finds how each table of the source is read.
func (m *merge) read(ctx context.Context, to *DB, source string) (err error) {
	var version int
	if m.shapes, version, err = to.schema(ctx); err != nil {
		return err
	}
	m.from = map[string]string{}
	if isDataset(source) {
		return m.readFiles(ctx, dataset{filepath.Clean(source)}, version)
	}
	if _, err := m.conn.ExecContext(ctx, "ATTACH "+quote(source)+" AS merged_from (READ_ONLY)"); err != nil {
		return explain(source, err)
	}
	others, err := shapesOf(ctx, m.conn, "merged_from")
	if err != nil {
		return err
	}
	for table, other := range others {
		if len(other.columns) == 0 {
			continue
		}
		list, err := m.shapes[table].selectFrom(other.columns)
		if err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		m.from[table] = "SELECT " + list + " FROM merged_from.main." + table
		m.warnOfMore(table, other.columns)
	}
	return nil
}

func (m *merge) readFiles(ctx context.Context, s dataset, version int) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	for table, names := range files {
		if m.from[table], err = s.table(ctx, m.conn, m.shapes[table], names, version); err != nil {
			return err
		}
		columns, err := describe(ctx, m.conn, s.read(names))
		if err != nil {
			return err
		}
		m.warnOfMore(table, columns)
	}
	return nil
}

// warnOfMore says which columns are left out, having no place here.
func (m *merge) warnOfMore(table string, columns []column) {
	var more []string
	for _, c := range columns {
		if !slices.ContainsFunc(m.shapes[table].columns, func(own column) bool { return own.name == c.name }) {
			more = append(more, c.name)
		}
	}
	if len(more) > 0 {
		m.warn(fmt.Sprintf("left out, having no place in table %s: %s", table, strings.Join(more, ", ")))
	}
}

// merge adds what is not there, all tables in one transaction. With distinct,
// of rows that have one key one is taken, which takes longer.
func (m *merge) merge(ctx context.Context, distinct bool) (done Imported, err error) {
	tx, err := m.conn.BeginTx(ctx, nil)
	if err != nil {
		return Imported{}, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	done.Kind = KindWarehouse
	if from, ok := m.from["runs"]; ok {
		// Rows are never rewritten, save to end a run.
		n, err := exec(ctx, tx, "UPDATE runs SET ended_at = s.ended_at, status = s.status, error = s.error FROM ("+from+") s WHERE runs.run_id = s.run_id AND runs.ended_at IS NULL AND s.ended_at IS NOT NULL")
		if err != nil {
			return Imported{}, fmt.Errorf("end runs: %w", err)
		}
		done.RunEnds = n
	}
	for _, table := range tablesInOrder() {
		from, ok := m.from[table]
		if !ok {
			continue
		}
		s := m.shapes[table]
		if distinct {
			keys := strings.Join(s.key, ", ")
			from = fmt.Sprintf("SELECT DISTINCT ON (%s) * FROM (%s) ORDER BY %s", keys, from, keys)
			if table == "runs" {
				from += ", ended_at NULLS LAST"
			}
		}
		n, err := exec(ctx, tx, fmt.Sprintf("INSERT INTO %s BY NAME SELECT s.* FROM (%s) s ANTI JOIN %s t ON %s", table, from, table, s.sameKey("s", "t")))
		if err != nil {
			return Imported{}, fmt.Errorf("table %s: %w", table, err)
		}
		done.count(table, n)
	}
	return done, tx.Commit()
}

func exec(ctx context.Context, tx *sql.Tx, statement string) (int64, error) {
	result, err := tx.ExecContext(ctx, statement)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
