package gallery

import (
	"bytes"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/record"
)

// loaders are those of the loads in made, in the order in which they were measured.
var loaders = []string{"mmap", "direct", "tiered"}

// made is a warehouse with loads of two machines by every loader, some of them with
// several sessions.
func made(t *testing.T) *sql.DB {
	t.Helper()
	at := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	var b record.Batch
	for m, machine := range []string{"slow", "fast"} {
		b.Machines = append(b.Machines, record.Machine{ID: machine, Machine: machine, FirstSeenAt: at})
		b.Rooflines = append(b.Rooflines, record.Roofline{ID: uuid.Must(uuid.NewV7()).String(), MachineID: machine, MeasuredAt: at, Kind: "storage_read", Bytes: 1, DurationS: 1, BandwidthBytesPerS: []float64{1e9, 8e9}[m]})
		for i, loader := range loaders {
			run := record.Run{ID: uuid.Must(uuid.NewV7()).String(), CollectID: uuid.Nil.String(), MachineID: machine, StartedAt: at.Add(time.Duration(i) * time.Hour), Status: record.StatusCompleted, ModelSource: "synthetic",
				Arm: record.Arm{Model: "m", BenchmarkType: "random", Format: "safetensors", Engine: "native", Loader: loader, Device: "host"}, NumReplicas: 1, Sessions: 1}
			b.Runs = append(b.Runs, run)
			for seq := range 8 {
				l := record.Load{RunID: run.ID, Seq: int64(seq), StartedAt: run.StartedAt, Bytes: new(int64(1e9)), LoadingTimeS: new(float64(2+i) + float64(seq)/8), Efficiency: new(0.5)}
				if loader == "tiered" {
					l.Session = int64(seq / 4)
				}
				b.Loads = append(b.Loads, l)
				start := float64(seq*seq%5) / 8 // in no order
				b.Stages = append(b.Stages, record.Stage{RunID: run.ID, Seq: l.Seq, Stage: "read", DurationS: 1}, record.Stage{RunID: run.ID, Seq: l.Seq, Stage: "copy", StartS: start, DurationS: *l.LoadingTimeS - start})
			}
		}
	}
	path := filepath.Join(t.TempDir(), "w.duckdb")
	if err := warehouse.At(path, warehouse.Options{}).Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db.SQL()
}

// drawn is a picture of a kind in a format.
func drawn(t *testing.T, db *sql.DB, kind, format string, f queries.Filter) string {
	t.Helper()
	i := slices.IndexFunc(Kinds(), func(k Kind) bool { return k.Name == kind })
	p, err := Kinds()[i].Draw(t.Context(), db, f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := plots.Encode(&b, p, format, plots.DefaultOptions()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
