// Package warehouse keeps measurements in one DuckDB file, or in a folder of
// Parquet.
//
// DuckDB lets nobody else open a file that one process has open for writing,
// not even to read. So a writer opens it for the length of an append and
// closes it again, and whoever finds it locked waits for a moment.
package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// Sentinels that callers tell apart.
var (
	ErrNewerSchema = errors.New("the warehouse was written by a newer sllmq")
	ErrNotDuckDB   = errors.New("not a DuckDB file")
)

// Options are how a warehouse is opened.
type Options struct {
	ReadOnly bool
	Safe     bool                // no statement reaches a file, an extension or a setting
	LockWait time.Duration       // how long to wait for whoever has the file; 0: until the context ends
	OnWait   func(holder string) // told once, after five seconds of waiting, who has the file
	Warn     func(line string)   // told what people must know; nil: nobody is
}

func (o Options) warn(line string) {
	if o.Warn != nil {
		o.Warn(line)
	}
}

// quietWait is how long a wait is not worth a word.
const quietWait = 5 * time.Second

// DB is an open warehouse.
type DB struct {
	db        *sql.DB
	connector *duckdb.Connector
	leave     func()           // lets the next goroutine open the file
	shapes    map[string]shape // of tables that are views, over a folder or an older file; nil: of a file
	older     string           // what makes the file older than this program; "" if nothing does
}

// SQL is the database underneath.
func (d *DB) SQL() *sql.DB { return d.db }

// Close closes the file, which writes what its log holds into it.
func (d *DB) Close() error {
	defer d.leave()
	if err := errors.Join(d.db.Close(), d.connector.Close()); err != nil {
		return fmt.Errorf("close the warehouse: %w", err)
	}
	return nil
}

// Open opens the warehouse at path, a file or a folder of Parquet, waiting while
// another process has the file. For writing, one that is not there is made, and
// its schema brought up to date. One that is not there can't be read: that is
// fs.ErrNotExist. A folder can be read, and grows by Log and Export alone.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	if isDataset(path) {
		return openDataset(ctx, path, o)
	}
	if err := check(path, o); err != nil {
		return nil, err
	}
	leave, err := enter(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open warehouse %s: %w", path, err)
	}
	var d *DB
	err = wait(ctx, path, o, func() (err error) {
		d, err = open(ctx, path, o)
		return err
	})
	if err != nil {
		leave()
		return nil, err
	}
	d.leave = leave
	if o.Safe {
		if err := d.confine(context.WithoutCancel(ctx), "[]"); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	return d, nil
}

// confine leaves statements nothing but what is open and the folders of an SQL
// list, for good.
func (d *DB) confine(ctx context.Context, folders string) error {
	for _, setting := range []string{"allowed_directories = " + folders, "enable_external_access = false", "lock_configuration = true"} {
		if _, err := d.db.ExecContext(ctx, "SET GLOBAL "+setting); err != nil {
			return fmt.Errorf("shut the warehouse off from files and settings: %w", err)
		}
	}
	return nil
}

// wait tries again as long as another process has the warehouse.
func wait(ctx context.Context, path string, o Options, try func() error) error {
	begun, told := time.Now(), false
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := try()
		if err == nil {
			return nil
		}
		holder, locked := lockHolder(err)
		if !locked {
			return explain(path, err)
		}
		waited := time.Since(begun)
		if o.LockWait > 0 && waited > o.LockWait {
			return fmt.Errorf("open warehouse %s: it is in use by %s: try again when that is done", path, holder)
		}
		if waited > quietWait && !told && o.OnWait != nil {
			o.OnWait(fmt.Sprintf("waiting for warehouse %s, in use by %s", path, holder))
			told = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("open warehouse %s: it is in use by %s: %w", path, holder, ctx.Err())
		case <-time.After(pause + rand.N(pause)):
		}
	}
}

// check finds what can be said better before DuckDB tries.
func check(path string, o Options) error {
	_, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.ReadOnly:
		return &missingError{path}
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return fmt.Errorf("open warehouse %s: folder %s is not there: make it first", path, filepath.Dir(path))
		}
	case err != nil:
		return fmt.Errorf("open warehouse: %w", err)
	}
	return nil
}

// missingError is fs.ErrNotExist of a warehouse, with what to do and without its
// words.
type missingError struct{ path string }

func (e *missingError) Error() string {
	return fmt.Sprintf("warehouse %s is not there: run sllmq collect first, or name one with --warehouse", e.path)
}
func (e *missingError) Unwrap() error { return fs.ErrNotExist }

func open(ctx context.Context, path string, o Options) (_ *DB, err error) {
	kept := ""
	if !o.ReadOnly {
		if err := create(ctx, path); err != nil {
			return nil, err
		}
		if kept, err = keepLeftover(path); err != nil {
			return nil, err
		}
	}
	d, err := connect(path, o)
	if err == nil && kept != "" {
		o.warn(fmt.Sprintf("a writer of warehouse %s was killed; what its log held whole is in the warehouse now, and the log is kept as %s", path, kept))
	}
	if err != nil && kept != "" {
		// Not worked in: it lies where it lay.
		err = errors.Join(err, os.Remove(kept))
	}
	if err != nil && o.ReadOnly && !isLock(err) {
		// A log that a killed writer left may have to be worked in by a writer
		// before anyone can read.
		if repair(path, o) {
			d, err = connect(path, o)
		}
	}
	if err != nil && !isLock(err) && setAside(path, o) {
		d, err = connect(path, o)
	}
	if err != nil {
		return nil, err
	}
	// A statement of the driver's that is cut off holds the file until the
	// process ends; these take milliseconds.
	ctx = context.WithoutCancel(ctx)
	older, err := d.migrate(ctx, o.ReadOnly)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if older == "" {
		return d, nil
	}
	if err := d.Close(); err != nil {
		return nil, err
	}
	return openOlder(ctx, path, older)
}

func connect(path string, o Options) (*DB, error) {
	mode := "READ_WRITE"
	if o.ReadOnly {
		mode = "READ_ONLY"
	}
	// Extensions are not looked for: what is not linked in would come over the
	// network. A commit goes straight into the file: through the log it would be
	// written twice, since the file is closed after it. An append writes at least a
	// block for each column, so the blocks of a new file are a quarter of DuckDB's
	// default: appends take a third less, and questions over many loads no longer.
	dsn := path + "?access_mode=" + mode + "&autoinstall_known_extensions=false&autoload_known_extensions=false&checkpoint_threshold=0B&default_block_size=65536"
	connector, err := duckdb.NewConnector(dsn, nil)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	if _, err := db.Exec("SET GLOBAL TimeZone = 'UTC'"); err != nil {
		return nil, errors.Join(err, db.Close(), connector.Close())
	}
	return &DB{db: db, connector: connector, leave: func() {}}, nil
}

// create makes a warehouse that is not there under another name and links it
// into place, so that no other process ever sees half of one.
func create(ctx context.Context, path string) error {
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		return nil
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".sllmq-new-*")
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, "new.duckdb")
	d, err := connect(temp, Options{})
	if err == nil {
		_, err = d.migrate(ctx, false)
		err = errors.Join(err, d.Close())
	}
	if err == nil {
		if err = os.Link(temp, path); errors.Is(err, fs.ErrExist) {
			err = nil // another process was faster
		}
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// repair opens the file for writing once, which works its log in.
func repair(path string, o Options) bool {
	if _, err := os.Stat(walPath(path)); err != nil {
		return false
	}
	o.ReadOnly = false
	d, err := connect(path, o)
	return err == nil && d.Close() == nil
}

// lockText is how DuckDB says who has a file:
//
//	Could not set lock on file "x": Conflicting lock is held in /usr/bin/sllmq (PID 12)
var lockText = regexp.MustCompile(`Conflicting lock is held in (.*?) ?\(PID (\d+)\)`)

func isLock(err error) bool { return strings.Contains(err.Error(), "Could not set lock") }

func lockHolder(err error) (holder string, locked bool) {
	var held *heldError
	if errors.As(err, &held) {
		return held.holder, true
	}
	if !isLock(err) {
		return "", false
	}
	m := lockText.FindStringSubmatch(err.Error())
	if m == nil {
		return "another process", true
	}
	return fmt.Sprintf("process %s (%s)", m[2], m[1]), true
}

// explain makes one line of what DuckDB says.
func explain(path string, err error) error {
	text := err.Error()
	switch {
	case errors.Is(err, ErrNewerSchema):
		return fmt.Errorf("open warehouse %s: %w", path, err)
	case isFull(err):
		return &fullError{"open warehouse " + path, err}
	case strings.Contains(text, "not a valid DuckDB"), strings.Contains(text, "No magic bytes"):
		return fmt.Errorf("open warehouse %s: %w: name another with --warehouse", path, ErrNotDuckDB)
	case strings.Contains(text, "ead-only file system"):
		return fmt.Errorf("open warehouse %s: it lies on a read-only file system: name another with --warehouse", path)
	case strings.Contains(text, "ermission denied"):
		return fmt.Errorf("open warehouse %s: this user may not write there: name another with --warehouse", path)
	}
	return fmt.Errorf("open warehouse %s: %w", path, &oneLine{err})
}

// oneLine is an error whose text has been put on one line.
type oneLine struct{ err error }

func (e *oneLine) Error() string { return strings.Join(strings.Fields(e.err.Error()), " ") }
func (e *oneLine) Unwrap() error { return e.err }
