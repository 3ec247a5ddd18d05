package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse/record"
)

// Exported is what was written of one table.
type Exported struct {
	Table string
	Rows  int64
}

// Export writes every table as Parquet into dir/TABLE/, which is made if it is
// not there, and returns what was written. DuckDB writes Parquet in place, so
// each file is written in a folder of its own, outside what TABLE/*.parquet
// names, put on the disk, and renamed in; only then is the export before it
// removed. A reader who looks while that happens may see rows twice, but never
// half a file and never a gap. The version of the schema stands in each file's
// metadata as sllmq_schema.
func Export(ctx context.Context, db *DB, dir string) ([]Exported, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	temp, err := os.MkdirTemp(dir, ".sllmq-export-*")
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	done, err := db.export(ctx, dir, temp)
	if err := errors.Join(err, os.RemoveAll(temp)); err != nil {
		return nil, fmt.Errorf("export to %s: %w", dir, err)
	}
	return done, nil
}

func (d *DB) export(ctx context.Context, dir, temp string) ([]Exported, error) {
	version, err := d.schemaVersion(ctx)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	// All tables as of one moment.
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was changed
	var done []Exported
	name := id.String() + ".parquet"
	for _, table := range tablesInOrder() {
		path := filepath.Join(temp, table+".parquet")
		// A UUID is text: not every reader knows Parquet's type of that name.
		statement := fmt.Sprintf(`COPY (SELECT * REPLACE (%s) FROM %s) TO '%s' (FORMAT parquet, COMPRESSION zstd, KV_METADATA {sllmq_schema: '%d'})`,
			uuidsAsText(table), table, strings.ReplaceAll(path, "'", "''"), version)
		if uuidsAsText(table) == "" {
			statement = strings.Replace(statement, " REPLACE ()", "", 1)
		}
		result, err := tx.ExecContext(ctx, statement)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table, &oneLine{err})
		}
		n, err := result.RowsAffected()
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table, err)
		}
		if err := syncFile(path); err != nil {
			return nil, err
		}
		done = append(done, Exported{Table: table, Rows: n})
	}
	for _, table := range tablesInOrder() {
		if err := replace(filepath.Join(temp, table+".parquet"), filepath.Join(dir, table), name); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// uuidsAsText lists the replacements for a table's UUID columns.
func uuidsAsText(table string) string {
	var parts []string
	for _, t := range rowsOf(record.Batch{}) {
		if t.table != table {
			continue
		}
		for i := range t.kind.NumField() {
			if column := t.kind.Field(i).Tag.Get("db"); uuids[column] {
				parts = append(parts, fmt.Sprintf("%s::VARCHAR AS %s", column, column))
			}
		}
	}
	return strings.Join(parts, ", ")
}

// replace renames a file into a table's folder and removes those of earlier
// exports.
func replace(path, folder, name string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	earlier, err := filepath.Glob(filepath.Join(folder, "*.parquet"))
	if err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(folder, name)); err != nil {
		return err
	}
	for _, old := range earlier {
		// Only what an export named: a UUID.
		if _, err := uuid.Parse(strings.TrimSuffix(filepath.Base(old), ".parquet")); err != nil {
			continue
		}
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncFile(folder)
}
