package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
)

// olderWarehouse makes a file as a program that knew the first so many steps of
// the schema left it, with the rows of another warehouse as far as it has their
// columns, views of that day, and a table of somebody's own.
func olderWarehouse(t *testing.T, path string, version int, rows string) {
	t.Helper()
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%v: %s", err, statement)
		}
	}
	steps, err := filepath.Glob("../../warehouse/schema/[0-9]*.sql")
	if err != nil || len(steps) <= version {
		t.Fatalf("version %d of %q: %v", version, steps, err)
	}
	do("CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL)")
	for i, step := range steps[:version] {
		text, err := os.ReadFile(step)
		if err != nil {
			t.Fatal(err)
		}
		do(string(text))
		do(fmt.Sprintf("INSERT INTO schema_migrations VALUES (%d, '%s', now())", i+1, filepath.Base(step)))
	}
	do("INSERT INTO schema_migrations VALUES (0, 'views.sql of another day', now())")
	do("CREATE VIEW load_facts AS SELECT run_id, seq, loading_time_s FROM loads")
	do("CREATE TABLE notes AS SELECT 'mine' AS note")
	do("ATTACH '" + rows + "' AS full_rows (READ_ONLY)")
	for _, table := range []string{"machines", "runs", "sessions", "loads", "stages", "inferences", "samples", "io_trace", "rooflines"} {
		var columns sql.NullString
		if err := db.QueryRow("SELECT string_agg('\"' || column_name || '\"', ', ' ORDER BY column_index) FROM duckdb_columns() WHERE table_name = ? AND database_name = current_database()", table).Scan(&columns); err != nil {
			t.Fatal(err)
		}
		if columns.Valid {
			do(fmt.Sprintf("INSERT INTO %s (%s) SELECT %[2]s FROM full_rows.main.%[1]s", table, columns.String))
		}
	}
	do("DETACH full_rows")
}

// Every command that reads works on a warehouse of each older schema, and leaves
// it as it is.
func TestOlderWarehousesAreRead(t *testing.T) {
	b := newBench(t)
	b.env = []string{"SLLMQ_NO_ROOFLINE=true", "SLLMQ_WAREHOUSE=full.duckdb"}
	if err := checkpointIn(filepath.Join(b.dir, "tiny"), smallHeader); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := b.command(args...).CombinedOutput()
		if err != nil {
			t.Errorf("sllmq %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("collect", "--model-name", "./tiny", "--benchmark-type", "random,cached", "--num-replicas", "2", "--storage-path", "store", "--mem-pool-size", "1MB", "--chunk-size", "64KB", "--io-trace")
	steps, err := filepath.Glob("../../warehouse/schema/[0-9]*.sql")
	if err != nil || len(steps) < 2 {
		t.Fatal(steps, err)
	}
	full := run("sql", "--format", "csv", "select run_id, seq, loading_time_s, error from load_facts order by all")
	var questions []string
	for line := range strings.Lines(run("query")) {
		name, _, ok := strings.Cut(line, " ")
		if !ok { // an empty line ends the list
			break
		}
		questions = append(questions, name)
	}
	for _, version := range []int{1, len(steps) - 1} {
		name := fmt.Sprintf("v%d.duckdb", version)
		path := filepath.Join(b.dir, name)
		olderWarehouse(t, path, version, filepath.Join(b.dir, "full.duckdb"))
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b.env[1] = "SLLMQ_WAREHOUSE=" + name
		if got := run("sql", "--format", "csv", "select run_id, seq, loading_time_s, error from load_facts order by all"); got != full {
			t.Errorf("version %d: %s\nwant %s", version, got, full)
		}
		for _, question := range questions {
			run("query", question, "--format", "csv")
		}
		for _, args := range [][]string{
			{"summary"}, {"runs"}, {"compare"}, {"compare", "--where", "replica >= 0", "--format", "csv"}, {"trend"}, {"plot", "bars", "-o", "bars.svg"},
			{"report", "-o", name + ".html"}, {"export", "--to", name + ".exported"}, {"sql", "--safe", "select store, store_version from sessions"},
			{"sql", "select * from summary"}, {"sql", "select * from comparison"},
		} {
			run(args...)
		}
		if out := run("doctor", "--storage-path", "."); !strings.Contains(out, fmt.Sprintf("version %d, and this program knows %d", version, len(steps))) {
			t.Errorf("version %d: doctor says %s", version, out)
		}
		if out := run("sql", "--format", "value", "select note from notes"); out != "mine\n" {
			t.Errorf("version %d: %s", version, out)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("version %d: reading changed the file (%v)", version, err)
		}
		if _, err := os.Stat(path + ".wal"); err == nil {
			t.Errorf("version %d: reading left a log", version)
		}
		b.env[1] = "SLLMQ_WAREHOUSE=" + name + ".exported"
		if got := run("sql", "--format", "csv", "select run_id, seq, loading_time_s, error from load_facts order by all"); got != full {
			t.Errorf("version %d, exported: %s", version, got)
		}
		b.env[1] = "SLLMQ_WAREHOUSE=" + name
		run("sql", "--write", "select 1")
		if out := run("doctor", "--storage-path", "."); !strings.Contains(out, fmt.Sprintf("version %d, the newest", len(steps))) {
			t.Errorf("version %d: doctor says %s", version, out)
		}
	}
}
