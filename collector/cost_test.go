package collector

import (
	"testing"

	"github.com/sllmq/sllmq/collector/hub"
)

// TestEstimateOfAnAbsentModel: an estimate uses sizes that a server reports, which
// may be zero, and does not depend on this machine's memory.
func TestEstimateOfAnAbsentModel(t *testing.T) {
	q := DefaultRequest()
	q.Replicas, q.BenchmarkTypes, q.AA = 3, []string{Random, Cached}, true
	techniques, err := q.techniques()
	if err != nil {
		t.Fatal(err)
	}
	r := &Resolved{Request: q, techniques: techniques}
	for _, bytes := range []int64{0, 1, 4 << 40} {
		model := hub.Model{Repo: hub.Repo{ID: "org/model", Revision: "main"}, Files: []hub.File{{Name: "config.json", Size: 10}, {Name: "model.safetensors", Size: bytes}}}
		cost, err := r.Estimate(AbsentModel{"org/model", model, bytes, []byte(`{"torch_dtype": "float16"}`)})
		if err != nil {
			t.Fatalf("%d bytes: %v", bytes, err)
		}
		weights := bytes / 2 * 2
		const alignment = 1 << 20 // more than loaders need
		if cost.FetchBytes != bytes || cost.DeviceBytes < weights || cost.DeviceBytes > weights+alignment || cost.WriteBytes != 6*weights || cost.MemoryBytes < cost.DeviceBytes {
			t.Errorf("%d bytes: %+v", bytes, cost)
		}
		// Two formats, two benchmark types, and each of these twice.
		if len(cost.Runs) != 8 {
			t.Errorf("%d runs, want 8", len(cost.Runs))
		}
	}
}
