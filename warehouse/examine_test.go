package warehouse_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/record"
)

// here is a host on which only process 1 is alive.
func here() warehouse.Host {
	return warehouse.Host{Name: "box", BootID: "boot", Alive: func(pid int64) bool { return pid == 1 }}
}

func examine(t *testing.T, path string) []warehouse.Finding {
	t.Helper()
	return warehouse.Examine(t.Context(), path, warehouse.Options{LockWait: time.Second}, here())
}

// wantFinding fails unless a finding of the check has the state and the text.
func wantFinding(t *testing.T, list []warehouse.Finding, check string, state warehouse.State, saw string) {
	t.Helper()
	for _, f := range list {
		if f.Check == check && f.State == state && strings.Contains(f.Saw, saw) {
			if f.State != warehouse.OK && f.Do == "" {
				t.Errorf("%+v does not say what to do", f)
			}
			if strings.Contains(f.Saw+f.Do, "\n") {
				t.Errorf("more than one line: %+v", f)
			}
			return
		}
	}
	t.Errorf("no finding %q %s with %q in %+v", check, state, saw, list)
}

func TestExamineFindsNoProblems(t *testing.T) {
	for _, name := range []string{"w.duckdb", "folder"} {
		path := filepath.Join(t.TempDir(), name)
		if name == "folder" {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		appendAll(t, path, batches(t))
		list := examine(t, path)
		for _, f := range list {
			if f.State != warehouse.OK {
				t.Errorf("%s: %+v", name, f)
			}
		}
		wantFinding(t, list, "rows", warehouse.OK, "every table can be read")
		wantFinding(t, list, "schema", warehouse.OK, "the newest")
	}
}

func TestExamineFindsProblems(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	wantFinding(t, examine(t, path), "file", warehouse.None, "is not there")
	live, dead, rebooted, far, lost := aRun(t), aRun(t), aRun(t), aRun(t), aRun(t)
	dead.PID = new(int64(2))
	rebooted.BootID = new("before")
	far.BootID, far.MachineID = new("other"), "m2"
	lost.BootID, lost.MachineID, lost.StartedAt = new("other"), "m2", time.Now().Add(-72*time.Hour)
	appendAll(t, path, []record.Batch{
		{Machines: []record.Machine{{ID: "m1", Machine: "box", FirstSeenAt: time.Now()}, {ID: "m2", Machine: "elsewhere", FirstSeenAt: time.Now()}}, Runs: []record.Run{live, dead, rebooted, far, lost}},
		aLoad(live.ID, 0, 1), aLoad(newID(t), 0, 1), // of a run that is not there
	})
	for _, aside := range []string{path + ".wal.torn-20260101T000000Z", filepath.Join(filepath.Dir(path), ".sllmq-new-1")} {
		if err := os.WriteFile(aside, []byte("left"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := examine(t, path)
	wantFinding(t, list, "orphans", warehouse.Warn, "1 rows of loads whose row of runs is missing")
	wantFinding(t, list, "runs", warehouse.Warn, "2 have no end")
	wantFinding(t, list, "runs", warehouse.Warn, "1 on other machines")
	wantFinding(t, list, "runs", warehouse.OK, "2 are under way")
	wantFinding(t, list, "log set aside", warehouse.Warn, ".wal.torn-20260101T000000Z, 4 bytes")
	wantFinding(t, list, "leftover", warehouse.Warn, ".sllmq-new-1")

	db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.SQL().Exec("UPDATE schema_migrations SET version = 2 WHERE version > 0"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, examine(t, path), "schema", warehouse.Warn, "version 2, and this program knows")

	// Of the same version, with views that another program made.
	path = filepath.Join(t.TempDir(), "w.duckdb")
	appendAll(t, path, batches(t)[:1])
	if db, err = warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{Write: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SQL().Exec("DELETE FROM schema_migrations WHERE version = 0"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, examine(t, path), "schema", warehouse.Warn, "views are from another version")
}

func TestExamineFindsWhyItCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.duckdb")
	if err := os.WriteFile(text, []byte(strings.Repeat("no warehouse ", 20)), 0o644); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, examine(t, text), "file", warehouse.Fail, "not a DuckDB file")

	path := filepath.Join(dir, "newer.duckdb")
	appendAll(t, path, batches(t)[:1])
	db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.SQL().Exec("INSERT INTO schema_migrations VALUES (999, '0999_later.sql', now())"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, examine(t, path), "schema", warehouse.Fail, "newer sllmq")

	// A log that is not one is reported, and again when a writer has set it aside.
	torn := filepath.Join(dir, "torn.duckdb")
	appendAll(t, torn, batches(t)[:1])
	if err := os.WriteFile(torn+".wal", []byte(strings.Repeat("no log ", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	list := examine(t, torn)
	wantFinding(t, list, "log", warehouse.Warn, "torn.duckdb.wal, 700 bytes")
	wantFinding(t, list, "rows", warehouse.OK, "")
	appendAll(t, torn, batches(t)[:1])
	list = examine(t, torn)
	wantFinding(t, list, "log set aside", warehouse.Warn, "torn.duckdb.wal.torn-")
	wantFinding(t, list, "rows", warehouse.OK, "")
}

// TestExamineFindsDamage flips a byte in each block of a file, one at a time:
// nothing goes unseen that changes what is read, and nothing ends the program.
func TestExamineFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	run := aRun(t)
	b := record.Batch{Machines: []record.Machine{{ID: "m1", Machine: "box", FirstSeenAt: time.Now()}}, Runs: []record.Run{run}}
	for seq := range int64(2000) {
		l := aLoad(run.ID, seq, float64(seq*seq%997)/100)
		b.Loads, b.Stages = append(b.Loads, l.Loads...), append(b.Stages, l.Stages...)
	}
	appendAll(t, path, []record.Batch{b})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const block, headers = 256 << 10, 3 * 4096
	found, blocks := 0, 0
	for at := headers + 2000; at < len(whole); at += block {
		blocks++
		damaged := slices.Clone(whole)
		damaged[at] ^= 0x10
		file := filepath.Join(t.TempDir(), "damaged.duckdb")
		if err := os.WriteFile(file, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(examine(t, file), func(f warehouse.Finding) bool { return f.State == warehouse.Fail }) {
			found++
		}
	}
	t.Logf("%d of %d blocks, of which some are free", found, blocks)
	if found == 0 {
		t.Error("no damage was found")
	}
}

func TestExamineFindsDoubles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	appendAll(t, path, batches(t))
	files := append(glob(t, path, "loads/*.parquet"), glob(t, path, "loads/*/*.parquet")...)
	if len(files) == 0 {
		t.Fatal("no files of loads")
	}
	file := filepath.Join(path, files[0])
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(strings.TrimSuffix(file, ".parquet")+"-again.parquet", content, 0o644); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, examine(t, path), "doubles", warehouse.Fail, "rows of loads are there twice")
}
