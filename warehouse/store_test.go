package warehouse_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/intake"
	"github.com/sllmq/sllmq/warehouse/lake"
	"github.com/sllmq/sllmq/warehouse/record"
)

// TestStores holds every kind of warehouse to what Store promises.
func TestStores(t *testing.T) {
	for kind, name := range map[string]string{"file": "w.duckdb", "folder": "w/"} {
		for _, c := range []struct {
			name string
			test func(t *testing.T, path string)
		}{
			{"missing", testMissing}, {"append", testAppend}, {"append all or nothing", testAllOrNothing}, {"lost runs", testLost}, {"kill", testKill},
			{"import twice", testImportTwice}, {"import in any order", testImportOrders}, {"import at once", testImportAtOnce},
			{"safe access", testSafe}, {"canceled", testCanceled},
		} {
			t.Run(kind+"/"+c.name, func(t *testing.T) { c.test(t, t.TempDir()+"/"+name) })
		}
	}
}

func testMissing(t *testing.T, path string) {
	_, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "is not there: run sllmq collect first") {
		t.Errorf("opened for reading: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("reading created it")
	}
	if _, err := warehouse.Import(t.Context(), filepath.Join(t.TempDir(), "to.duckdb"), []string{path}, intake.Options{}, warehouse.Options{}); err == nil {
		t.Error("a missing warehouse was imported")
	}
}

func testAppend(t *testing.T, path string) {
	run := aRun(t)
	machine := record.Machine{ID: "m1", Machine: "box", FirstSeenAt: time.Now(), CPUs: new(int64(2)), StorageRotational: new(false)}
	appendAll(t, path, []record.Batch{
		{Machines: []record.Machine{machine}, Runs: []record.Run{run}},
		{Machines: []record.Machine{machine}}, // left as it is
		aLoad(run.ID, 0, 0.5),
		{RunEnds: []record.RunEnd{{RunID: run.ID, EndedAt: time.Now(), Status: record.StatusCompleted}}},
	})
	if n := count(t, path, "machines"); n != 1 {
		t.Errorf("%d machines, want 1", n)
	}
	db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var id, model, machineName, tag, status string
	var seconds, rate float64
	var bound *string
	err = db.SQL().QueryRow("SELECT run_id::VARCHAR, model, machine, tags['where'], status, loading_time_s, bytes_per_s, bound FROM load_facts").
		Scan(&id, &model, &machineName, &tag, &status, &seconds, &rate, &bound)
	if err != nil {
		t.Fatal(err)
	}
	if id != run.ID || model != run.Model || machineName != "box" || tag != "here" || status != "completed" || seconds != 0.5 || rate != 5e8 || bound != nil {
		t.Errorf("read back %s %s %s %s %s %v %v %v", id, model, machineName, tag, status, seconds, rate, bound)
	}
}

func testAllOrNothing(t *testing.T, path string) {
	run := aRun(t)
	appendAll(t, path, []record.Batch{{Machines: []record.Machine{{ID: "m1", Machine: "box", FirstSeenAt: time.Now()}}, Runs: []record.Run{run}}})
	store := warehouse.At(path, warehouse.Options{})
	broken := aLoad(run.ID, 0, 1)
	broken.Stages[5].RunID = "not a UUID"
	if err := store.Append(t.Context(), broken); err == nil {
		t.Fatal("a batch with a broken row was appended")
	}
	unknown := aLoad(run.ID, 0, 1)
	unknown.RunEnds = []record.RunEnd{{RunID: newID(t), EndedAt: time.Now(), Status: "completed"}}
	if err := store.Append(t.Context(), unknown); err == nil {
		t.Error("a run that does not exist was ended")
	}
	if n := count(t, path, "loads"); n != 0 {
		t.Errorf("%d loads of batches that failed", n)
	}
	if err := store.Append(t.Context(), aLoad(run.ID, 0, 1)); err != nil || count(t, path, "loads") != 1 {
		t.Errorf("the append after a failed one: %v", err)
	}
}

func testLost(t *testing.T, path string) {
	store := warehouse.At(path, warehouse.Options{})
	dead, living := aRun(t), aRun(t)
	living.PID = new(int64(2))
	appendAll(t, path, []record.Batch{{Runs: []record.Run{dead, living}}})
	n, err := warehouse.EndLost(t.Context(), store, "m1", func(pid int64, _ string) bool { return pid == 2 })
	if err != nil || n != 1 {
		t.Fatalf("%d lost, %v", n, err)
	}
	if n := count(t, path, "runs WHERE status = 'lost' AND pid = 1"); n != 1 {
		t.Error("the dead collector's run is not marked")
	}
}

func testKill(t *testing.T, path string) {
	if strings.HasSuffix(path, "/") {
		killAppends(t, path, 8, 150)
	} else {
		killAppends(t, path, 20, 40)
	}
}

// parts makes warehouses that have some rows in common: all of them, the first
// half, the second half, and a data set with every file twice.
func parts(t *testing.T) (whole string, all []string) {
	t.Helper()
	dir, list := t.TempDir(), batches(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	whole = at("whole.duckdb")
	appendAll(t, whole, list)
	appendAll(t, at("first.duckdb"), list[:4])
	second := slices.Concat(list[:1], list[4:])
	appendAll(t, at("second")+"/", second)
	mustExport(t, whole, at("doubled"), lake.ExportOptions{})
	for _, name := range glob(t, at("doubled"), "*/*.parquet") {
		content, err := os.ReadFile(filepath.Join(at("doubled"), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(at("doubled"), filepath.Dir(name), "copy.parquet"), content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return whole, []string{at("first.duckdb"), at("second"), at("doubled")}
}

func testImportTwice(t *testing.T, path string) {
	whole, _ := parts(t)
	first, second := mustImport(t, path, whole), mustImport(t, path, whole)
	if first.Loads != 6 || !second.Nothing() {
		t.Errorf("first %+v, then %+v", first, second)
	}
	sameContents(t, path, whole)
	// The same for results of other programs.
	results := filepath.Join(t.TempDir(), "org_m_sllm_2_random.json")
	if err := os.WriteFile(results, []byte(`[{"model_name": "org/m_0", "loading_time": 1.5}, {"model_name": "org/m_1", "loading_time": 2}]`), 0o644); err != nil {
		t.Fatal(err)
	}
	if first, second := mustImport(t, path, results), mustImport(t, path, results); first.Loads != 2 || first.OtherRows != 0 || !second.Nothing() {
		t.Errorf("results: first %+v, then %+v", first, second)
	}
}

func testImportOrders(t *testing.T, path string) {
	whole, all := parts(t)
	for i, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}, {1, 0, 1}} {
		to := strings.Replace(path, "/w", "/"+string(rune('a'+i)), 1)
		for _, n := range order {
			mustImport(t, to, all[n])
		}
		sameContents(t, to, whole)
		wantNoDoubles(t, to)
	}
}

// testImportAtOnce imports overlapping warehouses from two goroutines and two
// other processes.
func testImportAtOnce(t *testing.T, path string) {
	whole, all := parts(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			from := all[i%len(all)]
			if i < 2 {
				mustImport(t, path, from)
				return
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), imports+"="+path+"|"+from)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	mustImport(t, path, whole)
	sameContents(t, path, whole)
	wantNoDoubles(t, path)
}

func wantNoDoubles(t *testing.T, path string) {
	t.Helper()
	for _, f := range warehouse.Examine(t.Context(), path, warehouse.Options{}, here()) {
		if f.Check == "doubles" {
			t.Errorf("%+v", f)
		}
	}
}

func testSafe(t *testing.T, path string) {
	run := aRun(t)
	appendAll(t, path, []record.Batch{{Runs: []record.Run{run}}})
	db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{Safe: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.SQL().QueryRow("SELECT count(*) FROM runs").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d runs, %v", n, err)
	}
	for _, statement := range []string{"SELECT * FROM read_text('/etc/hostname')", "COPY runs TO '" + t.TempDir() + "/out.csv'", "SET threads = 1", "LOAD httpfs"} {
		if _, err := db.SQL().Exec(statement); err == nil {
			t.Errorf("%s is possible", statement)
		}
	}
}

func testCanceled(t *testing.T, path string) {
	run := aRun(t)
	appendAll(t, path, []record.Batch{{Runs: []record.Run{run}}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	store := warehouse.At(path, warehouse.Options{})
	if err := store.Append(ctx, aLoad(run.ID, 0, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	if _, err := store.Merge(ctx, store); !errors.Is(err, context.Canceled) {
		t.Errorf("merge: %v", err)
	}
	if n := count(t, path, "loads"); n != 0 {
		t.Errorf("%d loads", n)
	}
}

// A file that DuckDB 2.0.1 wrote (its headers: 12 KiB) is refused in one line that
// says what to do.
func TestAFileOfALaterDuckDBIsRefused(t *testing.T) {
	packed, err := os.Open("testdata/duckdb-2.0.1.duckdb.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	content, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "w.duckdb")
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	want := "open warehouse " + path + ": its file format is from a later version of DuckDB: update sllmq"
	for _, a := range []warehouse.Access{{}, {Write: true}} {
		if _, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), a); err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %s", a, err, want)
		}
	}
	wantFinding(t, examine(t, path), "schema", warehouse.Fail, "later version of DuckDB")
}
