package lake

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sllmq/sllmq/internal/atomicfile"
	"github.com/sllmq/sllmq/warehouse/database"
)

// copyParquet writes the rows of a query to a Parquet file, syncs it, and returns
// how many rows there are. DuckDB writes in place, so nobody may read the path yet.
func copyParquet(ctx context.Context, db database.Querier, query, path string, version int) (int64, error) {
	n, err := copyRows(ctx, db, query, path, parquetOptions(version))
	if err != nil {
		return 0, err
	}
	return n, atomicfile.Sync(path)
}

// parquetOptions are options of COPY.
func parquetOptions(version int) string {
	return fmt.Sprintf("FORMAT parquet, COMPRESSION zstd, KV_METADATA {%s: '%d'}", schemaKey, version)
}

func copyRows(ctx context.Context, db database.Querier, query, path, options string) (int64, error) {
	n, err := database.Exec(ctx, db, fmt.Sprintf("COPY (%s) TO %s (%s)", query, database.Quote(path), options))
	if err != nil {
		return 0, fmt.Errorf("write: %w", database.OneLine(err))
	}
	return n, nil
}

// place renames a synced file to its final path, creating the folders above it.
func place(temp, path string) error {
	dir := filepath.Dir(path)
	made, err := makeFolders(dir)
	if err == nil {
		err = os.Rename(temp, path)
	}
	for _, d := range append(made, dir) {
		if err == nil {
			err = atomicfile.Sync(d)
		}
	}
	return err
}

// makeFolders creates a folder and those above it, and returns the folders that
// got a new entry.
func makeFolders(dir string) (changed []string, err error) {
	for missing := dir; ; missing = filepath.Dir(missing) {
		if _, err := os.Stat(missing); err == nil || missing == filepath.Dir(missing) {
			break
		}
		changed = append(changed, filepath.Dir(missing))
	}
	return changed, os.MkdirAll(dir, 0o755)
}

// escapeValue is a partition's value in a folder's name, as Hive and DuckDB
// write it.
func escapeValue(s string) string {
	if s == "" {
		return "__HIVE_DEFAULT_PARTITION__"
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
