package warehouse_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/record"
)

func newID(t testing.TB) string {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

func aRun(t testing.TB) record.Run {
	t.Helper()
	return record.Run{
		ID: newID(t), CollectID: newID(t), MachineID: "m1", StartedAt: time.Now(), Arm: record.Arm{Model: "synthetic/opt-125m", BenchmarkType: "random", Format: "sllm", Engine: "native", Loader: "pool", Device: "host"}, Status: record.StatusRunning,
		ModelSource: "synthetic", NumReplicas: 3, Sessions: 1,
		PID: new(int64(1)), BootID: new("boot"), Tags: map[string]string{"gpu": "none", "where": "here"},
	}
}

func aLoad(runID string, seq int64, seconds float64) record.Batch {
	return record.Batch{
		Loads: []record.Load{{RunID: runID, Seq: seq, StartedAt: time.Now(), Replica: seq, LoadingTimeS: &seconds,
			Bytes: new(int64(250_000_000)), SourceTier: new("storage")}},
		Stages: []record.Stage{
			{RunID: runID, Seq: seq, Stage: "open", DurationS: 0.001},
			{RunID: runID, Seq: seq, Stage: "index", DurationS: 0.001},
			{RunID: runID, Seq: seq, Stage: "allocate", DurationS: 0.001},
			{RunID: runID, Seq: seq, Stage: "read", DurationS: seconds, Bytes: new(int64(250_000_000))},
			{RunID: runID, Seq: seq, Stage: "copy", DurationS: seconds, Bytes: new(int64(250_000_000))},
			{RunID: runID, Seq: seq, Stage: "close", DurationS: 0.001},
		},
	}
}

func count(t testing.TB, path, table string) (n int) {
	t.Helper()
	db, err := warehouse.At(path, warehouse.Options{}).Open(context.Background(), warehouse.Access{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.SQL().QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// BenchmarkAppend is what an append after a load costs: open, write, close.
func BenchmarkAppend(b *testing.B) {
	path := filepath.Join(b.TempDir(), "w.duckdb")
	store := warehouse.At(path, warehouse.Options{})
	run := aRun(b)
	if err := store.Append(b.Context(), record.Batch{Runs: []record.Run{run}}); err != nil {
		b.Fatal(err)
	}
	seq := int64(0)
	for b.Loop() {
		if err := store.Append(b.Context(), aLoad(run.ID, seq, 1)); err != nil {
			b.Fatal(err)
		}
		seq++
	}
}
