package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/record"
)

// hostile is a name that would be a script if it were not escaped.
const hostile = `</title></svg><script>alert("x")</script><img src="http://example.invalid/x.png" onerror=alert(1)>&'`

// made is a warehouse of made-up measurements of a number of models. The name of the
// first is hostile.
func made(t *testing.T, models int) *warehouse.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "made.duckdb")
	at := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	machine := record.Machine{ID: "m1", Machine: "node-1", FirstSeenAt: at, Kernel: new("6.12"), CPUModel: new("A CPU"), CPUs: new(int64(8)), MemoryBytes: new(int64(64 << 30)),
		Filesystem: new("ext4"), StorageDevice: new("nvme0n1"), StorageModel: new(hostile)}
	b := record.Batch{Machines: []record.Machine{machine}}
	r := rand.New(rand.NewPCG(1, 2))
	for m := range models {
		name := fmt.Sprintf("made-up/model-%02d", m)
		if m == 0 {
			name = hostile
		}
		bytes := int64(250e6 * math.Pow(1.4, float64(m)))
		for a, arm := range [][2]string{{"safetensors", "mmap-parallel"}, {"sllm", "pool"}} {
			for night := range 2 {
				run := record.Run{ID: id(m, a, night), CollectID: id(m, 9, night), MachineID: "m1", StartedAt: at.AddDate(0, 0, night), Arm: record.Arm{Model: name, BenchmarkType: "random", Format: arm[0], Engine: "native", Loader: arm[1], Device: "host"}, Status: record.StatusCompleted, ModelSource: "synthetic",
					NumReplicas: 8, Sessions: 1, Tags: map[string]string{"night": fmt.Sprint(night)}}
				b.Runs = append(b.Runs, run)
				for seq := range 8 {
					l := record.Load{RunID: run.ID, Seq: int64(seq), StartedAt: run.StartedAt.Add(time.Duration(seq) * time.Minute), Bytes: &bytes, SourceTier: new(record.TierStorage)}
					l.LoadingTimeS = new(float64(bytes) / []float64{1.1e9, 3e9}[a] * (1 + 0.2*r.Float64()))
					l.Efficiency, l.Bound = new([]float64{0.3, 0.95}[a]+0.06*r.Float64()), new("storage")
					if m == 0 && seq == 7 {
						l.LoadingTimeS, l.Efficiency, l.Error = nil, nil, new("worker died: "+hostile)
					}
					b.Loads = append(b.Loads, l)
					if l.LoadingTimeS != nil {
						b.Stages = append(b.Stages, record.Stage{RunID: run.ID, Seq: l.Seq, Stage: "read", DurationS: *l.LoadingTimeS * 0.8}, record.Stage{RunID: run.ID, Seq: l.Seq, Stage: "copy", StartS: 0.01, DurationS: *l.LoadingTimeS * 0.3})
					}
				}
				for chunk := range 6 {
					b.IOTraces = append(b.IOTraces, record.IOTrace{RunID: run.ID, Seq: 1, Chunk: int64(chunk), File: hostile, Bytes: 16 << 20, StartS: 0.01 * float64(chunk/2), DurationS: 0.009, CopiedS: new(0.01*float64(chunk/2) + 0.012), Thread: int64(chunk % 2)})
				}
			}
		}
	}
	for i := range 6 {
		b.Rooflines = append(b.Rooflines, record.Roofline{ID: id(99, i, 0), MachineID: "m1", MeasuredAt: at, Kind: "storage_read", Threads: new(int64(1)), Depth: new(int64(1 << i)), IOSizeBytes: new(int64(1 << 20)),
			Bytes: 1 << 30, DurationS: 0.3, BandwidthBytesPerS: 1e9 * float64(i+1)})
	}
	if models == 0 {
		b = record.Batch{}
	}
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
	return db
}

func id(parts ...int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(fmt.Sprint(parts))).String()
}
