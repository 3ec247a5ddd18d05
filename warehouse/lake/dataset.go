package lake

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sllmq/sllmq/internal/filelock"
	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/schema"
)

// dataset is the files of a folder.
type dataset struct{ dir string }

const (
	parquet = ".parquet"
	// lockName is the file that a writer of a data set locks.
	lockName = ".sllmq-lock"
	// maxDatasetFiles bounds the files of a data set.
	maxDatasetFiles = 200_000
)

// files lists the files of each table, by their names under the folder, in
// order. A missing folder has none.
func (s dataset) files() (map[string][]string, error) {
	found, n := map[string][]string{}, 0
	for _, table := range schema.Names() {
		top := filepath.Join(s.dir, table)
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && path == top:
				return nil
			case err != nil:
				return err
			case isHidden(entry.Name()) && entry.IsDir():
				return fs.SkipDir
			case isHidden(entry.Name()), entry.IsDir(), filepath.Ext(path) != parquet:
				return nil
			}
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
				return fmt.Errorf("%s is not a file", path)
			}
			if n++; n > maxDatasetFiles {
				return fmt.Errorf("it has more than %d files", maxDatasetFiles)
			}
			name, err := filepath.Rel(s.dir, path)
			found[table] = append(found[table], name)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list the data set's files: %w", err)
		}
	}
	return found, nil
}

func isHidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }

// partitionKeys are the keys that the files are partitioned by.
func partitionKeys(files map[string][]string) []string {
	for _, table := range schema.Names() {
		if !partitioned(table) || len(files[table]) == 0 {
			continue
		}
		var keys []string
		for part := range strings.SplitSeq(filepath.Dir(files[table][0]), string(filepath.Separator)) {
			if key, _, ok := strings.Cut(part, "="); ok {
				keys = append(keys, key)
			}
		}
		return keys
	}
	return nil
}

// partitioned reports whether the partition keys apply to a table. Machines are
// few, and their name is one of the keys.
func partitioned(table string) bool { return table != "machines" && table != "rooflines" }

// read is the relation of all columns of some of the files.
func (s dataset) read(files []string, more ...string) string {
	return fmt.Sprintf("read_parquet([%s], union_by_name=true, hive_partitioning=false%s)", s.list(files), strings.Join(more, ""))
}

func (s dataset) list(files []string) string {
	var list []string
	for _, name := range files {
		list = append(list, database.Quote(globLiteral.Replace(filepath.Join(s.dir, name))))
	}
	return strings.Join(list, ", ")
}

// globLiteral escapes the characters of DuckDB's file patterns.
var globLiteral = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")

// Attach returns the selects of the tables that have files.
func (s dataset) Attach(ctx context.Context, db *sql.DB, shapes map[string]schema.Shape, warn func(string)) (schema.Selects, error) {
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("the folder holds no data set")
	}
	selects := schema.Selects{}
	for table, names := range files {
		if selects[table], err = s.table(ctx, db, shapes[table], names, warn); err != nil {
			return nil, err
		}
	}
	return selects, nil
}

// table is the select of a table from some of its files, with the columns and
// types of shape. Files of a newer schema are refused; files without a version were
// written by other programs, and are read by their columns. An error names the file
// that cannot be read.
func (s dataset) table(ctx context.Context, db database.Querier, shape schema.Shape, files []string, warn func(string)) (string, error) {
	relation := s.read(files)
	list := ""
	var present []schema.Column
	err := s.checkVersion(ctx, db, files)
	if err == nil {
		if present, err = schema.Describe(ctx, db, relation); err == nil {
			list, err = shape.SelectFrom(present)
		}
	}
	switch {
	case err == nil:
		schema.WarnForeign(shape, present, warn)
		return "SELECT " + list + " FROM " + relation, nil
	case len(files) == 1:
		return "", fmt.Errorf("%s: %w", files[0], database.OneLine(err))
	}
	for _, file := range files {
		if _, err := s.table(ctx, db, shape, []string{file}, nil); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("table %s: %w", shape.Table, database.OneLine(err))
}

func (s dataset) checkVersion(ctx context.Context, db database.Querier, files []string) error {
	known, err := schema.Latest()
	if err != nil {
		return err
	}
	query := fmt.Sprintf("SELECT DISTINCT decode(value) FROM parquet_kv_metadata([%s]) WHERE key = %s::BLOB", s.list(files), database.Quote(schemaKey))
	return database.Each(ctx, db, query, func(scan func(...any) error) error {
		var text string
		if err := scan(&text); err != nil {
			return err
		}
		version, err := strconv.Atoi(text)
		switch {
		case err != nil || version < 1:
			return fmt.Errorf("its %s is %q, which is not a version", schemaKey, text)
		case version > known:
			return fmt.Errorf("%w: its schema is version %d and this program knows %d: update sllmq", database.ErrNewer, version, known)
		}
		return nil
	})
}

// schemaKey is the key of the schema's version in a file's metadata.
const schemaKey = "sllmq_schema"

// lock waits until no other process writes into the data set, clears what a
// killed one left half written, and returns what releases the lock. Readers need no
// lock.
func (s dataset) lock(ctx context.Context, o database.Options) (unlock func() error, err error) {
	var f *os.File
	err = o.Wait(ctx, s.dir, func() (err error) {
		f, err = filelock.Try(filepath.Join(s.dir, lockName))
		if errors.Is(err, filelock.ErrLocked) {
			return &database.HeldError{Holder: holder(filepath.Join(s.dir, lockName))}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	// The process that waits for the lock reads this; nothing else depends on it.
	_, _ = f.WriteAt(fmt.Appendf(nil, "%-10d\n", os.Getpid()), 0)
	entries, err := os.ReadDir(s.dir)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), database.PartsPrefix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.dir, entry.Name())))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("clear what a killed writer left in %s: %w", s.dir, err), f.Close())
	}
	return f.Close, nil
}

// holder describes the process that a lock file names.
func holder(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "another process"
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return "another process"
	}
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%s)", pid, name)
}
