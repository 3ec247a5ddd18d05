package collector_test

import (
	"testing"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/hub"
)

// TestEstimateCostOfWhatTheHubSays: the estimate goes by sizes that a server
// tells, which may be none at all.
func TestEstimateCostOfWhatTheHubSays(t *testing.T) {
	c := collector.DefaultConfig()
	c.Replicas, c.BenchmarkTypes, c.AA = 3, []string{collector.Random, collector.Cached}, true
	model := func(bytes int64) hub.Model {
		return hub.Model{Repo: hub.Repo{ID: "org/model", Revision: "main"}, Files: []hub.File{{Name: "config.json", Size: 10}, {Name: "model.safetensors", Size: bytes}}}
	}
	for _, bytes := range []int64{0, 1, 4 << 40} {
		cost, err := c.EstimateCost(model(bytes), bytes, []byte(`{"torch_dtype": "float16"}`))
		if err != nil {
			t.Fatalf("%d bytes: %v", bytes, err)
		}
		if cost.FetchBytes != bytes || cost.DeviceBytes != bytes/2*2 || cost.WriteBytes != 6*(bytes/2*2) || cost.MemoryBytes < cost.DeviceBytes {
			t.Errorf("%d bytes: %+v", bytes, cost)
		}
		// Two formats, two benchmark types, and each of these twice.
		if len(cost.Arms) != 8 {
			t.Errorf("%d arms, want 8", len(cost.Arms))
		}
	}
}
