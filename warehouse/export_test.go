package warehouse_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/intake"
	"github.com/sllmq/sllmq/warehouse/lake"
	"github.com/sllmq/sllmq/warehouse/record"
)

// export writes a warehouse to a folder and returns the rows of each table.
func export(t testing.TB, from, to string, o lake.ExportOptions) (map[string]int64, error) {
	t.Helper()
	db, err := warehouse.At(from, warehouse.Options{}).Open(context.Background(), warehouse.Access{})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := lake.Export(context.Background(), db, to, o, warehouse.Options{})
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	rows := map[string]int64{}
	for _, e := range tables {
		rows[e.Table] = e.Rows
		if e.Ended > 0 {
			rows["ended"] = e.Ended
		}
	}
	return rows, nil
}

func mustExport(t testing.TB, from, to string, o lake.ExportOptions) map[string]int64 {
	t.Helper()
	rows, err := export(t, from, to, o)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func mustImport(t testing.TB, path, from string) warehouse.Imported {
	t.Helper()
	done, err := warehouse.Import(t.Context(), path, []string{from}, intake.Options{}, warehouse.Options{Warn: func(line string) { t.Error(line) }})
	if err != nil || len(done) != 1 {
		t.Fatalf("import %s: %+v, %v", from, done, err)
	}
	return done[0]
}

// TestExportAndImportKeepEveryRowOnce exports and imports a warehouse along every
// path, each twice: the second time changes nothing.
func TestExportAndImportKeepEveryRowOnce(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "source.duckdb")
	list := batches(t)
	appendAll(t, source, list)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, to := range []string{"plain", "by month", "by both"} {
		o := lake.ExportOptions{Append: true, PartitionBy: map[string][]string{"by month": {"month"}, "by both": {"machine", "month"}}[to]}
		if n := mustExport(t, source, at(to), o); n["loads"] != 6 || n["runs"] != 2 {
			t.Errorf("%s: wrote %v", to, n)
		}
		if n := mustExport(t, source, at(to), o); n["loads"]+n["runs"]+n["stages"]+n["machines"]+n["samples"]+n["rooflines"] != 0 {
			t.Errorf("%s: wrote %v although all of it was there", to, n)
		}
		sameContents(t, at(to), source)
	}
	if found := glob(t, at("by both"), "loads/machine=box%201%2F%C3%A4%3D%25/month=202[67]-0[12]/*.parquet"); len(found) != 2 {
		t.Errorf("the partitions: %v", found)
	}
	for _, way := range [][2]string{{"plain", "a.duckdb"}, {"by both", "b.duckdb"}, {"source.duckdb", "c.duckdb"}, {"source.duckdb", "folder/"}, {"by both", "other/"}, {"plain", "by month"}} {
		first, second := mustImport(t, at("")+"/"+way[1], at(way[0])), mustImport(t, at("")+"/"+way[1], at(way[0]))
		if first.Loads != 6 && way[1] != "by month" || !second.Nothing() {
			t.Errorf("%s into %s: first %+v, then %+v", way[0], way[1], first, second)
		}
		sameContents(t, at(way[1]), source)
	}
	// A partial copy is completed, in a file and in a folder.
	for _, half := range []string{"half.duckdb", "half/"} {
		path := at("") + "/" + half
		appendAll(t, path, list[:4])
		if done := mustImport(t, path, source); done.Loads != 3 || done.RunEnds != 2 || done.OtherRows == 0 {
			t.Errorf("%s: %+v", half, done)
		}
		sameContents(t, path, source)
		if done := mustImport(t, path, source); !done.Nothing() {
			t.Errorf("%s a second time: %+v", half, done)
		}
		if done := mustImport(t, at("a.duckdb"), path); !done.Nothing() {
			t.Errorf("%s has more than all: %+v", half, done)
		}
	}
	// A collector continues an exported data set, in its partitions.
	run := aRun(t)
	run.StartedAt = time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	more := []record.Batch{{Machines: []record.Machine{{ID: "m1", Machine: "box 1/ä=%", FirstSeenAt: time.Now()}}, Runs: []record.Run{run}}, aLoad(run.ID, 0, 1),
		{RunEnds: []record.RunEnd{{RunID: run.ID, EndedAt: time.Now(), Status: record.StatusCompleted}}}}
	appendAll(t, at("by both"), more)
	appendAll(t, source, more)
	sameContents(t, at("by both"), source)
	if found := glob(t, at("by both"), "*/machine=box%201%2F%C3%A4%3D%25/month=2027-02/"+run.ID+".parquet"); len(found) != 3 {
		t.Errorf("the collector's files: %v", found)
	}
}

func TestExportOfSomeRows(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "s.duckdb")
	appendAll(t, source, batches(t))
	n := mustExport(t, source, filepath.Join(dir, "some"), lake.ExportOptions{Where: "format = 'sllm' AND seq > 0 -- the warm ones"})
	want := map[string]int64{"machines": 1, "runs": 1, "sessions": 1, "loads": 2, "stages": 12, "inferences": 2, "samples": 3, "io_trace": 2, "rooflines": 3}
	if fmt.Sprint(n) != fmt.Sprint(want) {
		t.Errorf("wrote %v, want %v", n, want)
	}
	if n := count(t, filepath.Join(dir, "some"), "load_facts WHERE format = 'sllm' AND seq > 0"); n != 2 {
		t.Errorf("%d loads can be read", n)
	}
	if n := mustExport(t, source, filepath.Join(dir, "two"), lake.ExportOptions{Tables: []string{"runs", "loads"}, PartitionBy: []string{"month"}}); len(n) != 2 || len(glob(t, dir, "two/[^.]*")) != 2 {
		t.Errorf("wrote %v", n)
	}
	for _, c := range []struct {
		to   string
		o    lake.ExportOptions
		says string
	}{
		{"none", lake.ExportOptions{Where: "nothing = 1"}, `Referenced column "nothing" not found`},
		{"none", lake.ExportOptions{Where: "true; DROP TABLE loads"}, "choose loads: Parser Error"},
		{"none", lake.ExportOptions{Tables: []string{"load_facts"}}, `no table "load_facts"`},
		{"none", lake.ExportOptions{PartitionBy: []string{"month", "month"}}, `no partition "month", or twice`},
		{"none", lake.ExportOptions{Format: "xml"}, `no format "xml"`},
		{"none", lake.ExportOptions{Format: "csv", Append: true}, "append writes Parquet"},
		{"some", lake.ExportOptions{}, "it holds a data set already"},
		{"two", lake.ExportOptions{Append: true, PartitionBy: []string{"machine"}}, "it is partitioned by month, not by machine"},
		{"", lake.ExportOptions{Overwrite: true}, "holds other things"},
		{"no/where", lake.ExportOptions{}, "no such file or directory"},
	} {
		if _, err := export(t, source, filepath.Join(dir, c.to), c.o); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v to %q: %v, want %s", c.o, c.to, err, c.says)
		}
	}
	if found := glob(t, dir, ".sllmq-new-*"); len(found) > 0 || len(glob(t, dir, "none")) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

func TestOverwriteReplacesTables(t *testing.T) {
	dir := t.TempDir()
	first, second, to := filepath.Join(dir, "1.duckdb"), filepath.Join(dir, "2.duckdb"), filepath.Join(dir, "out")
	appendAll(t, first, batches(t))
	appendAll(t, second, batches(t)[:2])
	mustExport(t, first, to, lake.ExportOptions{PartitionBy: []string{"month"}})
	mustExport(t, second, to, lake.ExportOptions{Overwrite: true, PartitionBy: []string{"machine"}})
	sameContents(t, to, second)
	mustExport(t, first, to, lake.ExportOptions{Overwrite: true, Format: "csv", Tables: []string{"loads"}})
	if found := glob(t, to, "loads/*"); len(found) != 1 || filepath.Ext(found[0]) != ".csv" {
		t.Errorf("loads hold %v", found)
	}
	// It does not overwrite what a person put there.
	mine := filepath.Join(to, "loads", "mine.txt")
	if err := os.WriteFile(mine, []byte("dear"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := export(t, first, to, lake.ExportOptions{Overwrite: true}); err == nil || !strings.Contains(err.Error(), "mine.txt") {
		t.Errorf("overwritten: %v", err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}
