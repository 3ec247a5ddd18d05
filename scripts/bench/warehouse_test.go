package bench_test

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // DuckDB itself is what the program is held against
	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/record"
)

// times runs something so many times and returns what it took, sorted.
func times(t *testing.T, rounds int, run func() error) []time.Duration {
	t.Helper()
	var took []time.Duration
	for range rounds {
		begun := time.Now()
		if err := run(); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took
}

// program runs the program that the script built, and returns what it printed.
func program(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), os.Getenv("SLLMQ_BENCH_PROGRAM"), arguments...).Output()
	if err != nil {
		return "", fmt.Errorf("sllmq %s: %w", strings.Join(arguments, " "), err)
	}
	return string(out), nil
}

// TestAppend measures what keeping a load costs, and asking the least.
func TestAppend(t *testing.T) {
	b := openTable(t)
	path := filepath.Join(t.TempDir(), "w.duckdb")
	log := warehouse.NewLog(path, warehouse.Options{})
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	run := record.Run{
		ID: id.String(), CollectID: id.String(), MachineID: "m", StartedAt: time.Now(), Status: record.StatusRunning,
		Model: "synthetic/opt-125m", ModelSource: "synthetic", Format: "sllm", Loader: "pool", Device: "host",
		Engine: "native", BenchmarkType: "random", NumReplicas: 100, Sessions: 1, Tags: map[string]string{"disk": "nvme"},
	}
	if err := log.Append(t.Context(), record.Batch{Runs: []record.Run{run}}); err != nil {
		t.Fatal(err)
	}
	seq := int64(0)
	took := times(t, 100, func() error {
		batch := record.Batch{Loads: []record.Load{{RunID: run.ID, Seq: seq, StartedAt: time.Now(), Replica: seq, LoadingTimeS: new(0.5), Bytes: new(int64(250 << 20)), SourceTier: new("storage")}}}
		for _, name := range []string{"open", "index", "allocate", "read", "copy", "close"} {
			batch.Stages = append(batch.Stages, record.Stage{RunID: run.ID, Seq: seq, Stage: name, DurationS: 0.1})
		}
		seq++
		return log.Append(t.Context(), batch)
	})
	b.most("append after a load", 30, median(took).Seconds()*1e3, " ms", fmt.Sprintf("median of %d, a load with six stages", len(took)))
	took = times(t, 40, func() error {
		_, err := program(t, "sql", "--warehouse", path, "select 1")
		return err
	})
	b.most("sllmq sql \"select 1\", whole process", 60, median(took).Seconds()*1e3, " ms", fmt.Sprintf("median of %d", len(took)))
}

// TestManyLoads holds a summary, an export and an import of many loads against
// what DuckDB itself takes for the same work.
func TestManyLoads(t *testing.T) {
	b := openTable(t)
	path := os.Getenv("SLLMQ_BENCH_WAREHOUSE")
	if path == "" {
		t.Skip("no warehouse is given: see scripts/bench")
	}
	rounds := number("SLLMQ_BENCH_ROUNDS", 5)
	duck, err := sql.Open("duckdb", path+"?access_mode=READ_ONLY")
	if err != nil {
		t.Fatal(err)
	}
	defer duck.Close()
	var loads, rows int64
	tables := []string{"machines", "runs", "sessions", "loads", "stages", "inferences", "samples", "io_trace", "rooflines"}
	for _, table := range tables {
		var n int64
		if err := duck.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		rows += n
		if table == "loads" {
			loads = n
		}
	}
	statement, err := program(t, "summary", "--show-sql")
	if err != nil {
		t.Fatal(err)
	}
	alternate(t, b, fmt.Sprintf("summary over %d loads", loads), 1.5, rounds,
		func() error { _, err := program(t, "summary", "--warehouse", path); return err },
		func() error { return drain(duck, statement) })

	exported, copied := filepath.Join(filepath.Dir(path), "exported"), filepath.Join(filepath.Dir(path), "copied.parquet")
	alternate(t, b, fmt.Sprintf("export of %d loads, %d rows in all", loads, rows), 1.3, rounds,
		func() error { _, err := program(t, "export", "--warehouse", path, "--to", exported); return err },
		func() error {
			for _, table := range tables {
				if _, err := duck.Exec(fmt.Sprintf("COPY (SELECT * FROM %s) TO '%s' (FORMAT parquet, COMPRESSION zstd)", table, copied)); err != nil {
					return err
				}
			}
			return os.Remove(copied)
		})

	fresh := filepath.Join(filepath.Dir(path), "imported.duckdb")
	took := times(t, max(1, rounds/2), func() error {
		if err := os.RemoveAll(fresh); err != nil {
			return err
		}
		_, err := program(t, "import", "--warehouse", fresh, exported)
		return err
	})
	rate := float64(rows) / median(took).Seconds()
	b.write(fmt.Sprintf("import of %d rows of Parquet", rows), "> 1e+06/s", fmt.Sprintf("%.3g rows a second, median of %d", rate, len(took)), verdict(rate > 1e6))
}

// drain runs a statement and reads all that it answers.
func drain(db *sql.DB, statement string) error {
	rows, err := db.Query(statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// alternate has both do the same work in turns, and keeps the ratio of their
// medians.
func alternate(t *testing.T, b table, what string, target float64, rounds int, mine, theirs func() error) {
	t.Helper()
	var ours, duckdbs []time.Duration
	for range rounds {
		ours = append(ours, times(t, 1, mine)...)
		duckdbs = append(duckdbs, times(t, 1, theirs)...)
	}
	slices.Sort(ours)
	slices.Sort(duckdbs)
	ratio := median(ours).Seconds() / median(duckdbs).Seconds()
	b.most(what, target, ratio, "", fmt.Sprintf("times DuckDB's own %.2f s, medians of %d in turns", median(duckdbs).Seconds(), rounds))
}
