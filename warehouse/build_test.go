package warehouse_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/warehouse"
)

// TestAWarehouseMadeByAnImportIsLikeAnother holds its schema, comments and keys and
// all, to that of one that a collector made.
func TestAWarehouseMadeByAnImportIsLikeAnother(t *testing.T) {
	dir := t.TempDir()
	source, set, made := filepath.Join(dir, "s.duckdb"), filepath.Join(dir, "set"), filepath.Join(dir, "made.duckdb")
	appendAll(t, source, batches(t))
	mustExport(t, source, set, warehouse.ExportOptions{})
	mustImport(t, made, set)
	describe := func(path string) string {
		db, err := warehouse.Open(t.Context(), path, warehouse.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var all strings.Builder
		for _, query := range []string{
			"SELECT table_name, sql, comment FROM duckdb_tables() ORDER BY ALL",
			"SELECT table_name, column_index, column_name, data_type || ' ' || is_nullable || ' ' || comment FROM duckdb_columns() WHERE NOT internal ORDER BY ALL",
			"SELECT view_name, sql, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL",
			"SELECT table_name, constraint_type, constraint_text FROM duckdb_constraints() ORDER BY ALL",
			"SELECT version, name FROM schema_migrations ORDER BY ALL",
			"SELECT block_size FROM pragma_database_size()",
		} {
			rows, err := db.SQL().Query(query)
			if err != nil {
				t.Fatal(err)
			}
			columns, _ := rows.Columns()
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			for rows.Next() {
				if err := rows.Scan(into...); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintln(&all, values...)
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return all.String()
	}
	got, want := strings.Split(describe(made), "\n"), strings.Split(describe(source), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("line %d of %d and %d:\n%s\n%s", i, len(got), len(want), got[min(i, len(got)-1)], want[min(i, len(want)-1)])
		}
	}
	if len(want) < 200 {
		t.Errorf("only %d lines were compared", len(want))
	}
	if left := glob(t, dir, ".sllmq-new-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
