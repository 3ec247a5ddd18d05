package lake

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
	"github.com/sllmq/sllmq/internal/scratch"
	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/schema"
)

// fresh writes a data set beside its folder and renames it into place.
func (e *export) fresh(ctx context.Context) ([]schema.Added, error) {
	to, err := filepath.Abs(e.to.dir)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(to); err == nil {
		to = real
	}
	temp, err := scratch.New(filepath.Dir(to), database.PartsPrefix+filepath.Base(to)+"-")
	if err != nil {
		return nil, err
	}
	done, err := e.write(ctx, temp.Path, nil)
	if err == nil {
		err = errors.Join(os.Chmod(temp.Path, 0o755), atomicfile.Sync(temp.Path))
	}
	if err == nil {
		switch err = unix.Rename(temp.Path, to); {
		case errors.Is(err, unix.ENOTEMPTY), errors.Is(err, unix.EEXIST):
			err = ErrDataset // another export was faster
		case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EXDEV):
			err = errors.New("it is a mount point, which cannot be renamed into place: name a new folder in it")
		}
	}
	if err != nil {
		return done, errors.Join(err, temp.Remove())
	}
	return done, errors.Join(atomicfile.Sync(filepath.Dir(to)), temp.Release())
}

// into adds to an existing data set, or replaces its tables.
func (e *export) into(ctx context.Context, o database.Options) (done []schema.Added, err error) {
	unlock, err := e.to.lock(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	temp, err := os.MkdirTemp(e.to.dir, database.PartsPrefix+"*")
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
			return nil, fmt.Errorf("it is partitioned by %s, not by %s", orNothing(keys), orNothing(e.PartitionBy))
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

// refuseForeign fails if a table's folder has a file that no export wrote.
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
				return fmt.Errorf("%s was not written by an export and would be lost: move it away first", path)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// exchange replaces each table's folder with the new one.
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
			err = os.Rename(to, from) // it has no rows now
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			// The filesystem cannot exchange: for a moment the table is missing.
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

// endRuns rewrites the files in which a run that has ended since is still
// running, and returns how many such runs there are.
func (e *export) endRuns(ctx context.Context, tx *sql.Tx, there []string, temp string) (n int64, err error) {
	stale := map[string]int64{}
	query := fmt.Sprintf("SELECT filename, count(*) FROM %s f JOIN runs t ON t.run_id = f.run_id::UUID WHERE f.ended_at IS NULL AND t.ended_at IS NOT NULL GROUP BY filename", e.to.read(there, ", filename=true"))
	err = database.Each(ctx, tx, query, func(scan func(...any) error) error {
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
		return 0, fmt.Errorf("look for runs that have ended: %w", database.OneLine(err))
	}
	s := e.shapes["runs"]
	for name, runs := range stale {
		// The file may have columns that this warehouse does not have yet.
		query := fmt.Sprintf(`WITH old AS (FROM %s),
			ended AS (SELECT %s FROM runs t JOIN old ON t.run_id = old.run_id::UUID WHERE old.ended_at IS NULL AND t.ended_at IS NOT NULL)
			FROM old ANTI JOIN ended USING (run_id) UNION ALL BY NAME FROM ended`, e.to.read([]string{name}), s.Portable("t"))
		temp := filepath.Join(temp, name)
		if err := os.MkdirAll(filepath.Dir(temp), 0o755); err != nil {
			return 0, err
		}
		if _, err := copyParquet(ctx, tx, query, temp, e.version); err != nil {
			return 0, err
		}
		n += runs
	}
	return n, nil
}

// add renames the new files into the data set.
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
