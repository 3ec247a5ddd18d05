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

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/internal/atomicfile"
)

// fresh makes a data set beside the folder that it is to be, and renames it
// there: it is there whole or not at all.
func (e *export) fresh(ctx context.Context) ([]Exported, error) {
	to, err := filepath.Abs(e.to.dir)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(to); err == nil {
		to = real
	}
	prefix := partsPrefix + filepath.Base(to) + "-"
	if err := removeAbandoned(filepath.Dir(to), prefix); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(to), prefix+"*")
	if err != nil {
		return nil, err
	}
	made := dataset{temp}
	// So that another export sees that this one lives.
	unlock, err := made.lock(ctx, Options{})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(temp))
	}
	done, err := e.write(ctx, temp, nil)
	if err == nil {
		err = errors.Join(os.Chmod(temp, 0o755), atomicfile.Sync(temp))
	}
	if err == nil {
		switch err = unix.Rename(temp, to); {
		case errors.Is(err, unix.ENOTEMPTY), errors.Is(err, unix.EEXIST):
			err = ErrDataset // another was faster
		case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EXDEV):
			err = errors.New("it is a mount point, which can't be put in place whole: name a new folder in it")
		}
	}
	if err == nil {
		err = atomicfile.Sync(filepath.Dir(to))
	} else {
		err = errors.Join(err, os.RemoveAll(temp))
	}
	return done, errors.Join(err, unlock())
}

// removeAbandoned removes what exports that were killed left in a folder.
func removeAbandoned(parent, prefix string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), prefix) {
			continue
		}
		dir := filepath.Join(parent, entry.Name())
		f, err := os.Open(filepath.Join(dir, lockName))
		if err != nil {
			continue // just being made, or by others
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			err = os.RemoveAll(dir)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// into adds to a data set that is there, or puts tables in others' place.
func (e *export) into(ctx context.Context, o Options) (done []Exported, err error) {
	unlock, err := e.to.lock(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	temp, err := os.MkdirTemp(e.to.dir, partsPrefix+"*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if e.Overwrite {
		if err := e.refuseForeign(); err != nil {
			return nil, err
		}
		if done, err = e.write(ctx, temp, nil); err != nil {
			return nil, err
		}
		return done, e.exchange(temp)
	}
	there, err := e.to.files()
	if err != nil {
		return nil, err
	}
	if keys := partitionKeys(there); len(there) > 0 && !slices.Equal(keys, e.PartitionBy) {
		if len(e.PartitionBy) > 0 {
			return nil, fmt.Errorf("it is laid out by %s and not by %s", orNothing(keys), orNothing(e.PartitionBy))
		}
		e.PartitionBy = keys
	}
	if done, err = e.write(ctx, temp, there); err != nil {
		return nil, err
	}
	return done, e.add(temp)
}

func orNothing(keys []string) string {
	if len(keys) == 0 {
		return "nothing"
	}
	return strings.Join(keys, ", ")
}

// refuseForeign finds files in the tables' folders that no export wrote.
func (e *export) refuseForeign() error {
	for _, table := range e.Tables {
		err := filepath.WalkDir(filepath.Join(e.to.dir, table), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && entry.IsDir() {
				return nil
			}
			if err != nil {
				return err
			}
			name, ext := strings.TrimSuffix(entry.Name(), filepath.Ext(path)), filepath.Ext(path)
			if _, err := uuid.Parse(name); err != nil || ext != parquet && ext != ".csv" {
				return fmt.Errorf("%s was written by no export, and would be lost: move it away first", path)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// exchange puts each table's folder in the place of the one that is there.
func (e *export) exchange(temp string) error {
	for _, table := range placingOrder() {
		if !slices.Contains(e.Tables, table) {
			continue
		}
		from, to := filepath.Join(temp, table), filepath.Join(e.to.dir, table)
		_, missing := os.Stat(from)
		var err error
		if missing == nil {
			err = unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
		} else {
			err = os.Rename(to, from) // there is nothing in it now
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			// Filesystems that can't: for a moment there is no such table.
			err = errors.Join(os.Rename(to, from+".old"), os.Rename(from, to))
		} else if errors.Is(err, fs.ErrNotExist) && missing == nil {
			err = os.Rename(from, to)
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return atomicfile.Sync(e.to.dir)
}

// endRuns writes those files of runs anew in which a run goes on that has ended
// since, and returns how many runs those are.
func (e *export) endRuns(ctx context.Context, tx *sql.Tx, there []string, temp string) (n int64, err error) {
	stale := map[string]int64{}
	query := fmt.Sprintf("SELECT filename, count(*) FROM %s f JOIN runs t ON t.run_id = f.run_id::UUID WHERE f.ended_at IS NULL AND t.ended_at IS NOT NULL GROUP BY filename", e.to.read(there, ", filename=true"))
	err = each(ctx, tx, query, func(scan func(...any) error) error {
		var path string
		var runs int64
		if err := scan(&path, &runs); err != nil {
			return err
		}
		name, err := filepath.Rel(e.to.dir, path)
		stale[name] = runs
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look for runs that have ended: %w", &oneLine{err})
	}
	s := e.shapes["runs"]
	for name, runs := range stale {
		// The file may have columns that this warehouse has not yet.
		query := fmt.Sprintf(`WITH old AS (FROM %s),
			ended AS (SELECT %s FROM runs t JOIN old ON t.run_id = old.run_id::UUID WHERE old.ended_at IS NULL AND t.ended_at IS NOT NULL)
			FROM old ANTI JOIN ended USING (run_id) UNION ALL BY NAME FROM ended`, e.to.read([]string{name}), s.portable("t"))
		temp := filepath.Join(temp, name)
		if err := os.MkdirAll(filepath.Dir(temp), 0o755); err != nil {
			return 0, err
		}
		if _, err := copyParquet(ctx, tx, query, temp, e.known); err != nil {
			return 0, err
		}
		n += runs
	}
	return n, nil
}

// add renames files into the data set.
func (e *export) add(temp string) error {
	for _, table := range placingOrder() {
		err := filepath.WalkDir(filepath.Join(temp, table), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			}
			name, err := filepath.Rel(temp, path)
			if err != nil {
				return err
			}
			return place(path, filepath.Join(e.to.dir, name))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// schema is what is stored: the tables' shapes and their version.
func (d *DB) schema(ctx context.Context) (map[string]shape, int, error) {
	version, err := d.schemaVersion(ctx)
	if err != nil || d.shapes != nil {
		return d.shapes, version, err
	}
	var name string
	if err := d.db.QueryRowContext(ctx, "SELECT current_database()").Scan(&name); err != nil {
		return nil, 0, fmt.Errorf("read the schema: %w", err)
	}
	shapes, err := shapesOf(ctx, d.db, name)
	return shapes, version, err
}
