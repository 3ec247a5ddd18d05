package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sllmq/sllmq/internal/atomicfile"
	"github.com/sllmq/sllmq/internal/scratch"
	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/record"
	"github.com/sllmq/sllmq/warehouse/schema"
)

// file is a warehouse in a DuckDB file.
//
// While one process has a DuckDB file open for writing, no other can open it,
// not even to read. So a writer opens it for the length of an append, and a process
// that finds it locked waits a moment.
type file struct {
	path    string
	options Options
}

// Open opens the file, waiting while another process has it.
func (f *file) Open(ctx context.Context, a Access) (*DB, error) {
	if err := f.check(a); err != nil {
		return nil, err
	}
	leave, err := enter(ctx, f.path)
	if err != nil {
		return nil, fmt.Errorf("open warehouse %s: %w", f.path, err)
	}
	var db *DB
	err = f.options.Wait(ctx, f.path, func() (err error) {
		db, err = f.open(ctx, a)
		return err
	})
	if err != nil {
		leave()
		return nil, err
	}
	db.OnClose(leave)
	if a.Safe {
		if err := db.Confine(context.WithoutCancel(ctx)); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// Append adds all rows of the batch in one transaction.
func (f *file) Append(ctx context.Context, b record.Batch) error {
	db, err := f.Open(ctx, Access{Write: true})
	if err != nil {
		return err
	}
	err = errors.Join(appendTo(ctx, db, b), db.Close())
	if database.IsFull(err) {
		return database.Full("append to warehouse "+f.path, err)
	}
	return err
}

func appendTo(ctx context.Context, db *DB, b record.Batch) (err error) {
	conn, err := db.SQL().Conn(ctx)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN TRANSACTION"); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	if err := database.Append(ctx, conn, b); err != nil {
		_, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, rollback)
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	return nil
}

// Attach attaches the file for reading. It is opened first, which waits for
// others, replays a leftover log and checks the schema's version.
func (f *file) Attach(ctx context.Context, db *sql.DB, shapes map[string]schema.Shape, warn func(string)) (schema.Selects, error) {
	from, err := f.Open(ctx, Access{})
	if err != nil {
		return nil, err
	}
	if err := from.Close(); err != nil {
		return nil, err
	}
	return f.attach(ctx, db, shapes, warn)
}

// attached is the name that a file is attached under.
const attached = "stored"

func (f *file) attach(ctx context.Context, db *sql.DB, shapes map[string]schema.Shape, warn func(string)) (schema.Selects, error) {
	if _, err := db.ExecContext(ctx, "ATTACH "+database.Quote(f.path)+" AS "+attached+" (TYPE duckdb, READ_ONLY)"); err != nil {
		return nil, database.Explain(f.path, err)
	}
	return schema.SelectStored(ctx, db, attached, shapes, warn)
}

// check finds what can be explained better before DuckDB tries.
func (f *file) check(a Access) error {
	_, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !a.Write:
		return database.Missing(f.path)
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(f.path)); err != nil {
			return fmt.Errorf("open warehouse %s: folder %s is not there: make it first", f.path, filepath.Dir(f.path))
		}
	case err != nil:
		return fmt.Errorf("open warehouse: %w", err)
	}
	return nil
}

// open opens the file once.
func (f *file) open(ctx context.Context, a Access) (*DB, error) {
	if a.Write {
		if err := f.create(ctx); err != nil {
			return nil, err
		}
	}
	db, err := f.openWithLog(ctx, !a.Write)
	if err != nil {
		return nil, err
	}
	// Statements of the driver that are cut off hold the file until the process
	// ends; these take milliseconds.
	ctx = context.WithoutCancel(ctx)
	state, err := schema.Read(ctx, db.SQL())
	older := ""
	if err == nil {
		older, err = state.Older()
	}
	switch {
	case err != nil || older == "":
	case a.Write:
		err = schema.Upgrade(ctx, db.SQL(), state)
	case state.Version == 0:
		err = errors.New("it is a DuckDB file but not a warehouse: name another with --warehouse")
	default:
		if err := db.Close(); err != nil {
			return nil, err
		}
		return f.openOlder(ctx, older)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// create makes a missing warehouse under another name and links it into place,
// so that no other process ever sees half of one.
func (f *file) create(ctx context.Context) error {
	if info, err := os.Stat(f.path); err == nil && info.Size() > 0 {
		return nil
	}
	dir, err := scratch.New(filepath.Dir(f.path), f.parts())
	if err != nil {
		return err
	}
	temp := filepath.Join(dir.Path, "new.duckdb")
	db, err := database.Open(ctx, temp, false)
	if err == nil {
		err = errors.Join(schema.Upgrade(context.WithoutCancel(ctx), db.SQL(), schema.State{}), db.Close())
	}
	if err == nil {
		if err = os.Link(temp, f.path); errors.Is(err, fs.ErrExist) {
			err = nil // another process was faster
		} else if err == nil {
			err = atomicfile.Sync(filepath.Dir(f.path))
		}
	}
	return errors.Join(err, dir.Remove())
}

// parts begins the names of the folders in which the file is made.
func (f *file) parts() string { return database.PartsPrefix + filepath.Base(f.path) + "-" }

// openOlder opens a file of an older schema for queries without changing it: a
// database in memory with this program's schema, in which each table is a view over
// the file's. Columns that the file lacks are NULL, tables that it lacks are empty,
// and what else it has keeps its name.
func (f *file) openOlder(ctx context.Context, older string) (*DB, error) {
	db, err := database.OpenMemory(ctx)
	if err != nil {
		return nil, err
	}
	db.Older = older
	if err := f.show(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (f *file) show(ctx context.Context, db *DB) error {
	if err := schema.CreateBare(ctx, db.SQL()); err != nil {
		return err
	}
	shapes, err := schema.Shapes(ctx, db.SQL(), schema.Current)
	if err != nil {
		return err
	}
	selects, err := f.attach(ctx, db.SQL(), shapes, nil)
	if err != nil {
		return err
	}
	if err := schema.Replace(ctx, db.SQL(), selects); err != nil {
		return err
	}
	return showOthers(ctx, db)
}

// showOthers makes views of the tables that people made in the file.
func showOthers(ctx context.Context, db *DB) error {
	var others []string
	err := database.Each(ctx, db.SQL(), `SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' AND table_catalog = `+database.Quote(attached)+`
		AND table_name NOT IN (SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' AND table_catalog = current_database())`,
		func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			others = append(others, name)
			return err
		})
	for _, name := range others {
		if err == nil {
			_, err = db.SQL().ExecContext(ctx, fmt.Sprintf("CREATE VIEW %[1]s AS FROM %[2]s.main.%[1]s", database.QuoteName(name), attached))
		}
	}
	if err != nil {
		return fmt.Errorf("show what else the file holds: %w", err)
	}
	return nil
}
