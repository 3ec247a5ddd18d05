package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sync/errgroup"

	"github.com/sllmq/sllmq/internal/atomicfile"
)

// build makes the warehouse, which is not there, of another's rows, under another
// name, and links it into place when it is whole and on the disk. What a kill
// leaves the next import removes. What is there by then is left alone, which is
// fs.ErrExist. A source that has a row twice is a constraint's error of DuckDB.
func (l *Log) build(ctx context.Context, source string) (done Imported, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(l.path), buildPrefix(l.path)+"*")
	if err != nil {
		return Imported{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// So that another import sees that this one lives.
	unlock, err := dataset{dir}.lock(ctx, Options{})
	if err != nil {
		return Imported{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	temp := filepath.Join(dir, "new.duckdb")
	written := newWriteBack(dir)
	done, err = fill(ctx, temp, source, l.options)
	err = errors.Join(err, written.wait())
	if err == nil {
		err = atomicfile.Sync(temp)
	}
	if err == nil {
		err = os.Link(temp, l.path)
	}
	if err != nil {
		return Imported{}, err
	}
	return done, atomicfile.Sync(filepath.Dir(l.path))
}

// buildPrefix begins the names of folders in which a warehouse is made.
func buildPrefix(path string) string { return partsPrefix + filepath.Base(path) + "-" }

// lanes is how many tables are filled at once. The stages are more than half of
// the rows, and take as long as all others.
const lanes = 2

// fill makes a new file and puts the rows of a warehouse into it. Nobody else sees
// it, so each table is filled without its key and gets it then: an index that
// grows with the rows is made twice, for the transaction and for the table.
func fill(ctx context.Context, path, source string, o Options) (done Imported, err error) {
	d, err := connectUnseen(path)
	if err != nil {
		return Imported{}, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.migrateKeyless(ctx); err != nil {
		return Imported{}, err
	}
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return Imported{}, err
	}
	defer conn.Close()
	m := merge{conn: conn, warn: o.warn}
	if err := m.read(ctx, d, source); err != nil {
		return Imported{}, err
	}
	done.Kind = KindWarehouse
	tables := tablesInOrder()
	// The longest first.
	i := slices.Index(tables, "stages")
	tables = slices.Concat(tables[i:i+1], tables[:i], tables[i+1:])
	var mu sync.Mutex
	group, filling := errgroup.WithContext(ctx)
	group.SetLimit(lanes)
	for _, table := range tables {
		group.Go(func() error {
			n, err := m.fillTable(filling, d.db, table)
			if err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
			mu.Lock()
			defer mu.Unlock()
			done.count(table, n)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Imported{}, err
	}
	_, err = conn.ExecContext(ctx, "CHECKPOINT")
	return done, err
}

// fillTable puts the rows into a table without a key, and gives it its key.
func (m *merge) fillTable(ctx context.Context, db *sql.DB, table string) (n int64, err error) {
	if from, ok := m.from[table]; ok {
		result, err := db.ExecContext(ctx, "INSERT INTO "+table+" BY NAME "+from)
		if err != nil {
			return 0, err
		}
		if n, err = result.RowsAffected(); err != nil {
			return 0, err
		}
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("ALTER TABLE %s ADD PRIMARY KEY (%s)", table, strings.Join(m.shapes[table].key, ", ")))
	return n, err
}

// connectUnseen opens a new file that is nobody's yet. It has no log, since
// nobody would go on with half of it, and rows lie in it as threads come to them.
// The threads are for one lane: an index that many work on is put together anew.
// For older DuckDBs than 1.2, of February 2025, each index would be written in a
// form of its own, which takes an eighth of the time, on one thread.
func connectUnseen(path string) (*DB, error) {
	settings := []string{
		"SET GLOBAL TimeZone = 'UTC'", "SET GLOBAL default_block_size = 65536", "SET GLOBAL preserve_insertion_order = false",
		fmt.Sprintf("SET GLOBAL threads = %d", max(1, runtime.GOMAXPROCS(0)/lanes)),
		"SET GLOBAL temp_directory = " + quote(path+".tmp"),
		"ATTACH IF NOT EXISTS " + quote(path) + " AS warehouse (RECOVERY_MODE NO_WAL_WRITES, STORAGE_VERSION 'v1.2.0')", "USE warehouse",
	}
	connector, err := duckdb.NewConnector("?autoinstall_known_extensions=false&autoload_known_extensions=false", func(e driver.ExecerContext) error {
		for _, setting := range settings {
			if _, err := e.ExecContext(context.Background(), setting, nil); err != nil {
				return fmt.Errorf("%s: %w", setting, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &DB{db: sql.OpenDB(connector), connector: connector, leave: func() {}}, nil
}

// keyClause is the last line of what makes a table of a migration.
var keyClause = regexp.MustCompile(`(CREATE TABLE (\w+) \([^;]*?),\s*PRIMARY KEY \(([^)]*)\)`)

// migrateKeyless makes the schema of an empty database without the tables' keys,
// which its shapes have all the same.
func (d *DB) migrateKeyless(ctx context.Context) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	keys := map[string]string{}
	for _, step := range steps {
		for _, m := range keyClause.FindAllStringSubmatch(step.sql, -1) {
			keys[m[2]] = m[3]
		}
		step.sql = keyClause.ReplaceAllString(step.sql, "$1")
		if err := d.apply(ctx, step); err != nil {
			return fmt.Errorf("migrate with %s: %w", step.name, err)
		}
	}
	if err := d.renewViews(ctx); err != nil {
		return fmt.Errorf("renew the views: %w", err)
	}
	if d.shapes, _, err = d.schema(ctx); err != nil {
		return err
	}
	for table, key := range keys {
		s := d.shapes[table]
		s.key = strings.Split(key, ", ")
		d.shapes[table] = s
	}
	return nil
}
