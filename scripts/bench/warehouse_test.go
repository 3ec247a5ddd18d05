package bench_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/record"
)

// times runs a function several times and returns the durations, sorted.
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

// program runs the sllmq under test and returns its output.
func program(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), os.Getenv("SLLMQ_BENCH_PROGRAM"), arguments...).Output()
	if err != nil {
		return "", fmt.Errorf("sllmq %s: %w", strings.Join(arguments, " "), err)
	}
	return string(out), nil
}

// aRun is a run that loads are appended to.
func aRun(t *testing.T) record.Run {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return record.Run{
		ID: id.String(), CollectID: id.String(), MachineID: "m", StartedAt: time.Now(), Arm: record.Arm{Model: "synthetic/opt-125m", BenchmarkType: "random", Format: "sllm", Engine: "native", Loader: "pool", Device: "host"}, Status: record.StatusRunning,
		ModelSource: "synthetic", NumReplicas: 100, Sessions: 1, Tags: map[string]string{"disk": "nvme"},
	}
}

// aLoad is a load with six stages.
func aLoad(run string, seq int64) record.Batch {
	b := record.Batch{Loads: []record.Load{{RunID: run, Seq: seq, StartedAt: time.Now(), Replica: seq, LoadingTimeS: new(0.5), Bytes: new(int64(250 << 20)), SourceTier: new("storage")}}}
	for _, name := range []string{"open", "index", "allocate", "read", "copy", "close"} {
		b.Stages = append(b.Stages, record.Stage{RunID: run, Seq: seq, Stage: name, DurationS: 0.1})
	}
	return b
}

// TestAppend measures the time to append a load, and to answer the smallest query.
func TestAppend(t *testing.T) {
	b := openTable(t)
	path := filepath.Join(t.TempDir(), "w.duckdb")
	store := warehouse.At(path, warehouse.Options{})
	run := aRun(t)
	if err := store.Append(t.Context(), record.Batch{Runs: []record.Run{run}}); err != nil {
		t.Fatal(err)
	}
	seq := int64(0)
	took := times(t, 100, func() error {
		seq++
		return store.Append(t.Context(), aLoad(run.ID, seq))
	})
	b.most("append after a load", 30, median(took).Seconds()*1e3, " ms", fmt.Sprintf("median of %d, a load with six stages", len(took)))
	took = times(t, 40, func() error {
		_, err := program(t, "sql", "--warehouse", path, "select 1")
		return err
	})
	b.most("sllmq sql \"select 1\", whole process", 60, median(took).Seconds()*1e3, " ms", fmt.Sprintf("median of %d", len(took)))
}

// TestAppendBesideDuckDB compares an append with DuckDB's own: the file is opened
// with DuckDB's settings, the same rows are inserted in a transaction, and it is
// closed. SLLMQ_BENCH_APPEND lists how many loads the warehouse has already. Each side
// has a copy of it, and the sides take turns.
func TestAppendBesideDuckDB(t *testing.T) {
	b := openTable(t)
	sizes, rounds := os.Getenv("SLLMQ_BENCH_APPEND"), number("SLLMQ_BENCH_ROUNDS", 5)
	if sizes == "" {
		sizes = "0,10000,60000,115000,120000,125000,1000000"
	}
	for size := range strings.SplitSeq(sizes, ",") {
		loads, err := strconv.ParseInt(size, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		ours, theirs := filepath.Join(dir, "ours.duckdb"), filepath.Join(dir, "theirs.duckdb")
		run := aRun(t)
		fillWarehouse(t, ours, run, loads)
		whole, err := os.ReadFile(ours)
		if err == nil {
			err = os.WriteFile(theirs, whole, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		syscall.Sync()
		var took [2][]time.Duration
		for round := range int64(rounds) {
			batch := aLoad(run.ID, loads+round)
			took[0] = append(took[0], times(t, 1, func() error { return warehouse.At(ours, warehouse.Options{}).Append(t.Context(), batch) })...)
			took[1] = append(took[1], times(t, 1, func() error { return appendByDuckDB(t.Context(), theirs, batch) })...)
		}
		slices.Sort(took[0])
		slices.Sort(took[1])
		mine, own := median(took[0]).Seconds(), median(took[1]).Seconds()
		b.most(fmt.Sprintf("append at %d loads, %.0f MB", loads, float64(len(whole))/1e6), 1.3, mine/own, "",
			fmt.Sprintf("times DuckDB's own %.0f ms, medians of %d in turns", own*1e3, rounds))
	}
}

// fillWarehouse makes a warehouse with a run and so many loads of runs of 100.
func fillWarehouse(t *testing.T, path string, run record.Run, loads int64) {
	t.Helper()
	store := warehouse.At(path, warehouse.Options{})
	if err := store.Append(t.Context(), record.Batch{Runs: []record.Run{run}}); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), warehouse.Access{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.SQL().Exec(fmt.Sprintf(`BEGIN;
		INSERT INTO runs BY NAME SELECT r.* REPLACE (uuid() AS run_id) FROM runs r, range(%[1]d // 100);
		INSERT INTO loads BY NAME SELECT run_id, seq, 0 AS session, started_at + to_seconds(seq) AS started_at, seq AS replica, false AS warmup, random() AS loading_time_s, 250000000 AS bytes, 'storage' AS source_tier,
			random() AS cpu_user_s, random() AS cpu_system_s, random() AS storage_bound_s, random() AS copy_bound_s, (1e6 * random())::BIGINT AS minor_faults, (1e9 * random())::BIGINT AS storage_read_bytes
		FROM runs, range(100) s(seq) WHERE run_id <> '%[2]s';
		INSERT INTO stages BY NAME SELECT run_id, seq, unnest(['open', 'index', 'allocate', 'read', 'copy', 'close']) AS stage, random() AS start_s, random() AS duration_s FROM loads;
		COMMIT`, loads, run.ID))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// appendByDuckDB appends rows as DuckDB does by itself.
func appendByDuckDB(ctx context.Context, path string, rows record.Batch) (err error) {
	db, err := sql.Open("duckdb", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN TRANSACTION"); err != nil {
		return err
	}
	if err := database.Insert(conn, "", rows); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}
