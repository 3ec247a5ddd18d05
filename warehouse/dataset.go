package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// dataset is the other face of a warehouse: a folder of Parquet, DIR/TABLE/*.parquet,
// or DIR/TABLE/KEY=VALUE/*.parquet where it is partitioned. Names that begin
// with a dot or an underscore are nobody's data, for us as for Spark and
// pyarrow: what is being written lies under such a name, and is renamed in when
// it is whole and on the disk.
type dataset struct{ dir string }

const (
	parquet = ".parquet"
	// lockName is the file that writers of a data set lock.
	lockName = ".sllmq-lock"
	// partsPrefix begins the names of folders in which files are written.
	partsPrefix = ".sllmq-new-"
	// maxDatasetFiles bounds what is taken for one data set.
	maxDatasetFiles = 200_000
)

// isDataset says whether a warehouse of this name is a folder: one that is
// there, or one that is to be made, which a slash at the end says.
func isDataset(path string) bool {
	if strings.HasSuffix(path, string(filepath.Separator)) {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// files lists the files of each table, by their names under the folder, in
// order. A folder that is not there has none.
func (s dataset) files() (map[string][]string, error) {
	found, n := map[string][]string{}, 0
	for _, table := range tablesInOrder() {
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
				return fmt.Errorf("%s is no file", path)
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

// partitionKeys are the keys by which the files are laid out.
func partitionKeys(files map[string][]string) []string {
	for _, table := range tablesInOrder() {
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

// partitioned says whether a table is laid out by the partition keys. The few
// machines lie together: their name is one of the keys.
func partitioned(table string) bool { return table != "machines" && table != "rooflines" }

// read is the relation of all columns of some of the files.
func (s dataset) read(files []string, more ...string) string {
	return fmt.Sprintf("read_parquet([%s], union_by_name=true, hive_partitioning=false%s)", s.list(files), strings.Join(more, ""))
}

func (s dataset) list(files []string) string {
	var list []string
	for _, name := range files {
		list = append(list, quote(globLiteral.Replace(filepath.Join(s.dir, name))))
	}
	return strings.Join(list, ", ")
}

// globLiteral escapes what DuckDB would take for a pattern.
var globLiteral = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")

// table is the select of a table from some of the files, with the columns and
// types of the schema. Files of a newer schema are refused; those that say no
// version were written by others, and are taken by their columns. An error names
// the file that can't be had so.
func (s dataset) table(ctx context.Context, db querier, shape shape, files []string, version int) (string, error) {
	relation := s.read(files)
	list := ""
	err := s.checkVersion(ctx, db, files, version)
	if err == nil {
		var present []column
		if present, err = describe(ctx, db, relation); err == nil {
			list, err = shape.selectFrom(present)
		}
	}
	switch {
	case err == nil:
		return "SELECT " + list + " FROM " + relation, nil
	case len(files) == 1:
		return "", fmt.Errorf("%s: %w", files[0], &oneLine{err})
	}
	for _, file := range files {
		if _, err := s.table(ctx, db, shape, []string{file}, version); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("table %s: %w", shape.table, &oneLine{err})
}

func (s dataset) checkVersion(ctx context.Context, db querier, files []string, known int) error {
	query := fmt.Sprintf("SELECT DISTINCT decode(value) FROM parquet_kv_metadata([%s]) WHERE key = %s::BLOB", s.list(files), quote(schemaKey))
	return each(ctx, db, query, func(scan func(...any) error) error {
		var text string
		if err := scan(&text); err != nil {
			return err
		}
		version, err := strconv.Atoi(text)
		switch {
		case err != nil || version < 1:
			return fmt.Errorf("its %s is %q and no version", schemaKey, text)
		case version > known:
			return fmt.Errorf("%w: its schema is version %d and this program knows %d: update sllmq", ErrNewerSchema, version, known)
		}
		return nil
	})
}

// schemaKey is the key of the schema's version in a file's metadata.
const schemaKey = "sllmq_schema"

// lock waits until no other process writes into the data set, clears what one
// that was killed left half written, and returns what lets the next one in.
// Whoever only reads needs no lock.
func (s dataset) lock(ctx context.Context, o Options) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, explain(s.dir, err)
	}
	err = wait(ctx, s.dir, o, func() error {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return &heldError{holder(f)}
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Whoever finds it held can say by whom; nothing else rests on it.
	_, _ = f.WriteAt(fmt.Appendf(nil, "%-10d\n", os.Getpid()), 0)
	entries, err := os.ReadDir(s.dir)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), partsPrefix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.dir, entry.Name())))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("clear what a killed writer left in %s: %w", s.dir, err), f.Close())
	}
	return f.Close, nil
}

// heldError says that a process has what is wanted.
type heldError struct{ holder string }

func (e *heldError) Error() string { return "held by " + e.holder }

func holder(f *os.File) string {
	text := make([]byte, 16)
	n, _ := f.ReadAt(text, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return "another process"
	}
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%s)", pid, name)
}
