package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
	store := warehouse.At(path, warehouse.Options{})
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	run := record.Run{
		ID: id.String(), CollectID: id.String(), MachineID: "m", StartedAt: time.Now(), Arm: record.Arm{Model: "synthetic/opt-125m", BenchmarkType: "random", Format: "sllm", Engine: "native", Loader: "pool", Device: "host"}, Status: record.StatusRunning,
		ModelSource: "synthetic", NumReplicas: 100, Sessions: 1, Tags: map[string]string{"disk": "nvme"},
	}
	if err := store.Append(t.Context(), record.Batch{Runs: []record.Run{run}}); err != nil {
		t.Fatal(err)
	}
	seq := int64(0)
	took := times(t, 100, func() error {
		batch := record.Batch{Loads: []record.Load{{RunID: run.ID, Seq: seq, StartedAt: time.Now(), Replica: seq, LoadingTimeS: new(0.5), Bytes: new(int64(250 << 20)), SourceTier: new("storage")}}}
		for _, name := range []string{"open", "index", "allocate", "read", "copy", "close"} {
			batch.Stages = append(batch.Stages, record.Stage{RunID: run.ID, Seq: seq, Stage: name, DurationS: 0.1})
		}
		seq++
		return store.Append(t.Context(), batch)
	})
	b.most("append after a load", 30, median(took).Seconds()*1e3, " ms", fmt.Sprintf("median of %d, a load with six stages", len(took)))
	took = times(t, 40, func() error {
		_, err := program(t, "sql", "--warehouse", path, "select 1")
		return err
	})
	b.most("sllmq sql \"select 1\", whole process", 60, median(took).Seconds()*1e3, " ms", fmt.Sprintf("median of %d", len(took)))
}
