package warehouse_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/record"
)

// keysOf are the tables and views of a warehouse, with the order of their rows.
var keysOf = map[string]string{
	"machines": "machine_id", "runs": "run_id", "sessions": "run_id, session", "loads": "run_id, seq", "stages": "run_id, seq, stage",
	"inferences": "run_id, seq", "samples": "run_id, sampled_at, source, metric", "io_trace": "run_id, seq, chunk", "rooflines": "roofline_id",
	"load_facts": "run_id, seq", "summary": "ALL",
}

// contents are all rows of all tables and views, as text.
func contents(t testing.TB, path string) map[string][]string {
	t.Helper()
	db, err := warehouse.At(path, warehouse.Options{}).Open(context.Background(), warehouse.Access{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := map[string][]string{}
	for table, order := range keysOf {
		columns := "*"
		if table == "runs" || table == "load_facts" { // the order of a map's entries means nothing
			columns = "* REPLACE (list_sort(map_entries(tags)) AS tags)"
		}
		rows, err := db.SQL().Query(fmt.Sprintf("SELECT t::VARCHAR FROM (SELECT %s FROM %s ORDER BY %s) t", columns, table, order))
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			all[table] = append(all[table], row)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// sameContents compares every row of two warehouses.
func sameContents(t testing.TB, got, want string) {
	t.Helper()
	a, b := contents(t, got), contents(t, want)
	for table := range keysOf {
		if len(a[table]) != len(b[table]) {
			t.Errorf("%s has %d rows in %s and %d in %s", table, len(a[table]), got, len(b[table]), want)
			continue
		}
		for i := range a[table] {
			if a[table][i] != b[table][i] {
				t.Errorf("%s of %s:\n%s\nwant, as in %s:\n%s", table, got, a[table][i], want, b[table][i])
				break
			}
		}
	}
}

// batches are the rows of two runs, with awkward values.
func batches(t testing.TB) []record.Batch {
	t.Helper()
	at := time.Date(2026, 1, 31, 23, 59, 59, 999_999_000, time.UTC)
	machine := record.Machine{ID: "m1", Machine: "box 1/ä=%", FirstSeenAt: at, CPUs: new(int64(2)), StorageRotational: new(false), MemoryBytes: new(int64(1)<<62 + 1)}
	first, second := aRun(t), aRun(t)
	first.StartedAt, second.StartedAt = at, at.Add(time.Second)
	second.Format, second.Loader, second.Tags = "safetensors", "mmap", nil
	first.Tags = map[string]string{"quote'\"": "a,b\n\tc", "": "empty", "ü": "日本語 🙂"}
	list := []record.Batch{{Machines: []record.Machine{machine}, Runs: []record.Run{first, second}}}
	for seq := range int64(3) {
		for _, run := range []record.Run{first, second} {
			b := aLoad(run.ID, seq, 0.5+float64(seq)/2)
			if seq == 0 {
				b.Sessions = []record.Session{{RunID: run.ID, StartedAt: at, SetupTimeS: new(1e-300), PoolLocked: new(true)}}
				b.Rooflines = []record.Roofline{{ID: newID(t), MachineID: "m1", RunID: &run.ID, MeasuredAt: at, Kind: "storage_read", Bytes: 1, DurationS: 1, BandwidthBytesPerS: 1},
					{ID: newID(t), MachineID: "m1", MeasuredAt: at, Kind: "memory_copy", Bytes: 1<<63 - 1, DurationS: 1, BandwidthBytesPerS: 1}}
			}
			b.Inferences = []record.Inference{{RunID: run.ID, Seq: seq, OutputText: new("line\nüber 🙂 \"quoted\" \\ \x01 end"), Prompt: new("")}}
			b.Samples = []record.Sample{{RunID: run.ID, SampledAt: at.Add(time.Duration(seq) * time.Microsecond), Source: "cpu", Metric: "busy_s", Value: -1}}
			b.IOTraces = []record.IOTrace{{RunID: run.ID, Seq: seq, Chunk: 0, File: "a'b", Bytes: 1, DurationS: 5e-324}}
			list = append(list, b)
		}
	}
	return append(list,
		record.Batch{Machines: []record.Machine{machine}},
		record.Batch{RunEnds: []record.RunEnd{{RunID: first.ID, EndedAt: at.Add(time.Minute), Status: record.StatusCompleted},
			{RunID: second.ID, EndedAt: at.Add(time.Minute), Status: record.StatusFailed, Error: new("it's broken")}}})
}

func appendAll(t testing.TB, path string, list []record.Batch) {
	t.Helper()
	store := warehouse.At(path, warehouse.Options{})
	for i, b := range list {
		if err := store.Append(t.Context(), b); err != nil {
			t.Fatalf("batch %d: %v", i, err)
		}
	}
}

func TestFolderAndFileHoldTheSame(t *testing.T) {
	file, folder := filepath.Join(t.TempDir(), "w.duckdb"), filepath.Join(t.TempDir(), "it's [a] *?")+"/"
	list := batches(t)
	appendAll(t, file, list)
	appendAll(t, folder, list)
	sameContents(t, folder, file)
	// One file per run and table, nothing else.
	if found := glob(t, folder, "loads/*"); len(found) != 2 {
		t.Errorf("files of loads: %v", found)
	}
	if found := glob(t, folder, ".sllmq-*"); len(found) != 1 {
		t.Errorf("left behind: %v", found)
	}
	// Comments are there too, and SQL cannot write.
	db, err := warehouse.At(folder, warehouse.Options{}).Open(t.Context(), warehouse.Access{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.SQL().QueryRow("SELECT count(*) FROM duckdb_columns() WHERE table_name IN ('loads', 'runs') AND comment IS NULL").Scan(&n); err != nil || n > 0 {
		t.Errorf("%d columns have no comment (%v)", n, err)
	}
	if _, err := warehouse.At(folder, warehouse.Options{}).Open(t.Context(), warehouse.Access{Write: true}); err == nil || !strings.Contains(err.Error(), "import it into a .duckdb file") {
		t.Errorf("opened for writing: %v", err)
	}
}

// glob lists what matches a pattern in a folder whose own name is not a pattern.
func glob(t testing.TB, folder, pattern string) []string {
	t.Helper()
	found, err := fs.Glob(os.DirFS(folder), pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFolderThatIsNotAWarehouse(t *testing.T) {
	run := aRun(t)
	good := filepath.Join(t.TempDir(), "good") + "/"
	appendAll(t, good, []record.Batch{{Runs: []record.Run{run}}, aLoad(run.ID, 0, 1)})
	part := filepath.Join("loads", run.ID+".parquet")
	whole, err := os.ReadFile(filepath.Join(good, part))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		make func(dir string) error
		says string
	}{
		"empty":     {func(string) error { return nil }, "is not there: run sllmq collect first"},
		"no file":   {func(dir string) error { return os.MkdirAll(filepath.Join(dir, "loads", "x.parquet"), 0o755) }, "is not there"},
		"cut":       {func(dir string) error { return os.WriteFile(filepath.Join(dir, part), whole[:len(whole)-9], 0o644) }, part},
		"no magic":  {func(dir string) error { return os.WriteFile(filepath.Join(dir, part), []byte("PAR1 is all"), 0o644) }, part},
		"nothing":   {func(dir string) error { return os.WriteFile(filepath.Join(dir, part), nil, 0o644) }, part},
		"other":     {inSQL("COPY (SELECT 'x' AS run_id, 'y' AS seq) TO '%s' (FORMAT parquet)", part), part + ": column seq is VARCHAR and has to be BIGINT"},
		"foreign":   {inSQL("COPY (SELECT 42 AS answer) TO '%s' (FORMAT parquet)", part), part + ": column run_id is missing"},
		"newer":     {inSQL("COPY (SELECT 42 AS answer) TO '%s' (FORMAT parquet, KV_METADATA {sllmq_schema: '999'})", part), part + ": the warehouse was written by a newer sllmq: its schema is version 999 and this program knows"},
		"nonsense":  {inSQL("COPY (SELECT 42 AS answer) TO '%s' (FORMAT parquet, KV_METADATA {sllmq_schema: 'abc'})", part), `sllmq_schema is "abc", which is not a version`},
		"dangling":  {func(dir string) error { return os.Symlink("nowhere", filepath.Join(dir, part)) }, "is not a file"},
		"a circle":  {func(dir string) error { return os.Symlink(part, filepath.Join(dir, part)) }, "is not a file"},
		"one of it": {inSQL("COPY (SELECT uuid() AS run_id, DATE '2020-01-01' AS seq) TO '%s' (FORMAT parquet)", filepath.Join("loads", "other.parquet")), "other.parquet: column seq is DATE"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "loads"), 0o755); err != nil {
				t.Fatal(err)
			}
			if name == "one of it" {
				if err := os.WriteFile(filepath.Join(dir, part), whole, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			db, err := warehouse.At(dir, warehouse.Options{}).Open(t.Context(), warehouse.Access{})
			if err == nil {
				t.Fatal(errors.Join(errors.New("it was opened"), db.Close()))
			}
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("it says %q, want %q", err, c.says)
			}
			if name == "empty" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v is not fs.ErrNotExist", err)
			}
		})
	}
	mine := t.TempDir()
	if err := os.WriteFile(filepath.Join(mine, "letter.txt"), []byte("dear"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := warehouse.At(mine, warehouse.Options{}).Append(t.Context(), record.Batch{}); err == nil || !strings.Contains(err.Error(), "holds other things") {
		t.Errorf("appended among a person's files: %v", err)
	}
}

// inSQL writes a file of a folder with an SQL statement.
func inSQL(statement, name string) func(string) error {
	return func(dir string) error {
		db, err := warehouse.At(filepath.Join(dir, "made.duckdb"), warehouse.Options{}).Open(context.Background(), warehouse.Access{Write: true})
		if err != nil {
			return err
		}
		_, err = db.SQL().Exec(fmt.Sprintf(statement, filepath.Join(dir, name)))
		return errors.Join(err, db.Close(), os.Remove(filepath.Join(dir, "made.duckdb")))
	}
}

func TestMissingColumnsAreNull(t *testing.T) {
	run := aRun(t)
	folder := filepath.Join(t.TempDir(), "w") + "/"
	appendAll(t, folder, []record.Batch{{Machines: []record.Machine{{ID: "m1", Machine: "box", FirstSeenAt: time.Now()}}, Runs: []record.Run{run}}, aLoad(run.ID, 0, 1)})
	// As an earlier sllmq wrote it, or as Polars or pandas might rewrite it.
	old := filepath.Join(folder, "loads", run.ID+".parquet")
	older := inSQL("COPY (SELECT run_id, seq::INTEGER AS seq, session::SMALLINT AS session, started_at, replica, warmup, loading_time_s::FLOAT AS loading_time_s, 'more' AS more FROM read_parquet('"+
		old+"')) TO '%[1]s.parquet' (FORMAT parquet)", old)
	if err := errors.Join(older(""), os.Remove(old)); err != nil {
		t.Fatal(err)
	}
	appendAll(t, folder, []record.Batch{aLoad(run.ID, 1, 2)})
	if n := count(t, folder, "load_facts WHERE loading_time_s = seq + 1 AND (bytes IS NULL) = (seq = 0) AND model IS NOT NULL"); n != 2 {
		t.Errorf("%d loads of old and new columns, want 2", n)
	}
}
