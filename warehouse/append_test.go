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

func TestAppendKeepsEveryValue(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "w.duckdb")
	log := warehouse.NewLog(path, warehouse.Options{})
	run := aRun(t)
	machine := record.Machine{ID: "m1", Machine: "box", FirstSeenAt: time.Now(), CPUs: new(int64(2)), StorageRotational: new(false)}
	for _, b := range []record.Batch{
		{Machines: []record.Machine{machine}, Runs: []record.Run{run}},
		{Machines: []record.Machine{machine}}, // the same again is left as it is
		aLoad(run.ID, 0, 0.5),
		{RunEnds: []record.RunEnd{{RunID: run.ID, EndedAt: time.Now(), Status: record.StatusCompleted}}},
	} {
		if err := log.Append(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	db, err := warehouse.Open(ctx, path, warehouse.Options{ReadOnly: true})
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

func TestAppendIsWholeOrNothing(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "w.duckdb")
	log := warehouse.NewLog(path, warehouse.Options{})
	run := aRun(t)
	if err := log.Append(ctx, record.Batch{Runs: []record.Run{run}}); err != nil {
		t.Fatal(err)
	}
	b := aLoad(run.ID, 0, 1)
	b.Stages = append(b.Stages, b.Stages[0]) // the same key twice
	if err := log.Append(ctx, b); err == nil {
		t.Fatal("a batch with one key twice was taken")
	}
	if err := log.Append(ctx, record.Batch{RunEnds: []record.RunEnd{{RunID: newID(t), EndedAt: time.Now(), Status: "completed"}}}); err == nil {
		t.Error("a run that is not there was ended")
	}
	if n := count(t, path, "loads"); n != 0 {
		t.Errorf("%d loads of a batch that failed", n)
	}
}

func count(t testing.TB, path, table string) (n int) {
	t.Helper()
	db, err := warehouse.Open(context.Background(), path, warehouse.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.SQL().QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEndLostMarksTheDeadAlone(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "w.duckdb")
	log := warehouse.NewLog(path, warehouse.Options{})
	dead, living := aRun(t), aRun(t)
	living.PID = new(int64(2))
	if err := log.Append(ctx, record.Batch{Runs: []record.Run{dead, living}}); err != nil {
		t.Fatal(err)
	}
	n, err := log.EndLost(ctx, "m1", func(pid int64, _ string) bool { return pid == 2 })
	if err != nil || n != 1 {
		t.Fatalf("%d lost, %v", n, err)
	}
	if n := count(t, path, "runs WHERE status = 'lost' AND pid = 1"); n != 1 {
		t.Error("the dead collector's run is not marked")
	}
}

// BenchmarkAppend is what an append after a load costs: open, write, close.
func BenchmarkAppend(b *testing.B) {
	path := filepath.Join(b.TempDir(), "w.duckdb")
	log := warehouse.NewLog(path, warehouse.Options{})
	run := aRun(b)
	if err := log.Append(b.Context(), record.Batch{Runs: []record.Run{run}}); err != nil {
		b.Fatal(err)
	}
	seq := int64(0)
	for b.Loop() {
		if err := log.Append(b.Context(), aLoad(run.ID, seq, 1)); err != nil {
			b.Fatal(err)
		}
		seq++
	}
}
