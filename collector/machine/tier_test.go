package machine_test

import (
	"testing"

	"github.com/sllmq/sllmq/collector/machine"
)

func TestSourceTier(t *testing.T) {
	for _, c := range []struct {
		name string
		e    machine.Evidence
		want string
	}{
		{"dropped and read", machine.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(0)), StorageReadBytes: new(int64(1000))}, "storage"},
		{"read ahead past the end", machine.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(0)), StorageReadBytes: new(int64(4096))}, "storage"},
		{"direct although cached", machine.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(1000)), StorageReadBytes: new(int64(1000)), Direct: true}, "storage"},
		{"cached", machine.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(1000)), StorageReadBytes: new(int64(0))}, "page_cache"},
		{"half cached", machine.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(500)), StorageReadBytes: new(int64(500))}, "mixed"},
		{"in the pool", machine.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(0)), StorageReadBytes: new(int64(0)), PoolHit: true}, "pool"},
		{"not a block device", machine.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(0)), StorageReadBytes: new(int64(0))}, "storage"},
		{"nothing counted, half cached", machine.Evidence{FileBytes: 1000, ResidentBeforeBytes: new(int64(500))}, "mixed"},
		{"nothing counted, direct", machine.Evidence{FileBytes: 1000, Direct: true}, "storage"},
		{"no evidence", machine.Evidence{FileBytes: 1000}, ""},
		{"no bytes", machine.Evidence{}, ""},
	} {
		if got := machine.SourceTier(c.e); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
