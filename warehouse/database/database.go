// Package database is DuckDB as every kind of warehouse uses it: how a database
// is opened and shared with other processes, how rows of package record are
// appended to its tables, and DuckDB's errors in one line each.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// DB is an open warehouse.
type DB struct {
	// Older is why the schema of the file underneath is not this program's; ""
	// if it is. The DB then shows the file's rows in this program's schema.
	Older string

	db        *sql.DB
	connector *duckdb.Connector
	onClose   func()
}

// Open opens a DuckDB file, which is created if it is missing unless readOnly.
// It fails if another process has the file: see Wait.
//
// A statement of the driver that is cut off holds the file until the process
// ends, so ctx is looked at before the file is opened and not during.
func Open(ctx context.Context, path string, readOnly bool) (*DB, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	mode := "READ_WRITE"
	if readOnly {
		mode = "READ_ONLY"
	}
	// Extensions that are not linked in would be fetched over the network.
	//
	// A commit checkpoints at once. The file is closed after it, which checkpoints
	// anyway, and a large commit then skips the log: half the bytes and two syncs
	// instead of four. A single load costs the same either way.
	//
	// An append writes at least one block for each column. With a quarter of
	// DuckDB's block size appends take a third less time, and queries over many
	// loads no longer.
	dsn := path + "?access_mode=" + mode + "&autoinstall_known_extensions=false&autoload_known_extensions=false&checkpoint_threshold=0B&default_block_size=65536"
	connector, err := duckdb.NewConnector(dsn, nil)
	if err != nil {
		return nil, err
	}
	d := &DB{db: sql.OpenDB(connector), connector: connector, onClose: func() {}}
	if _, err := d.db.ExecContext(context.WithoutCancel(ctx), "SET GLOBAL TimeZone = 'UTC'"); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// OpenMemory opens an empty database in memory.
func OpenMemory(ctx context.Context) (*DB, error) {
	d, err := Open(ctx, "", false)
	if err != nil {
		return nil, err
	}
	// By default, what does not fit into memory would go into the working directory.
	spill := filepath.Join(os.TempDir(), fmt.Sprintf("sllmq-%d", os.Getpid()))
	if _, err := d.db.ExecContext(ctx, "SET GLOBAL temp_directory = "+Quote(spill)); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// SQL is the database underneath.
func (d *DB) SQL() *sql.DB { return d.db }

// OnClose has do called when the database has been closed.
func (d *DB) OnClose(do func()) { d.onClose = do }

// Close closes the database. A file holds everything that was committed then.
func (d *DB) Close() error {
	defer d.onClose()
	if err := errors.Join(d.db.Close(), d.connector.Close()); err != nil {
		return fmt.Errorf("close the warehouse: %w", err)
	}
	return nil
}

// Confine keeps all further statements away from settings, extensions, and
// files outside of the given folders.
func (d *DB) Confine(ctx context.Context, folders ...string) error {
	quoted := make([]string, len(folders))
	for i, folder := range folders {
		quoted[i] = Quote(folder)
	}
	for _, setting := range []string{"allowed_directories = [" + strings.Join(quoted, ", ") + "]", "enable_external_access = false", "lock_configuration = true"} {
		if _, err := d.db.ExecContext(ctx, "SET GLOBAL "+setting); err != nil {
			return fmt.Errorf("confine statements to the warehouse: %w", err)
		}
	}
	return nil
}

// Querier is a database, a connection or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Each calls do with the Scan method of every row.
func Each(ctx context.Context, db Querier, query string, do func(scan func(...any) error) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	for rows.Next() && err == nil {
		err = do(rows.Scan)
	}
	return errors.Join(err, rows.Err(), rows.Close())
}

// Exec runs a statement and returns how many rows it changed.
func Exec(ctx context.Context, db Querier, statement string, args ...any) (int64, error) {
	result, err := db.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// PartsPrefix begins the names of the folders in which files are written before
// they are put in place.
const PartsPrefix = ".sllmq-new-"

// Quote is s as an SQL string, QuoteName as an SQL name.
func Quote(s string) string     { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func QuoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
