package probe_test

import (
	"testing"

	"github.com/sllmq/sllmq/collector/probe"
)

func TestSourceTier(t *testing.T) {
	for _, c := range []struct {
		name string
		e    probe.Evidence
		want string
	}{
		{"dropped and read", probe.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(0)), StorageReadBytes: new(int64(1000))}, "storage"},
		{"read ahead past the end", probe.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(0)), StorageReadBytes: new(int64(4096))}, "storage"},
		{"direct although cached", probe.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(1000)), StorageReadBytes: new(int64(1000)), Direct: true}, "storage"},
		{"cached", probe.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(1000)), StorageReadBytes: new(int64(0))}, "page_cache"},
		{"half cached", probe.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(500)), StorageReadBytes: new(int64(500))}, "mixed"},
		{"in the pool", probe.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(0)), StorageReadBytes: new(int64(0)), PoolHit: true}, "pool"},
		{"not a block device", probe.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(0)), StorageReadBytes: new(int64(0))}, "storage"},
		{"nothing counted, half cached", probe.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(500))}, "mixed"},
		{"nothing counted, direct", probe.Evidence{FileBytes: 1000, Direct: true}, "storage"},
		{"no evidence", probe.Evidence{FileBytes: 1000}, ""},
		{"no bytes", probe.Evidence{}, ""},
	} {
		if got := probe.SourceTier(c.e); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
