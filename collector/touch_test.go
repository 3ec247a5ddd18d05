package collector

import (
	"testing"

	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/warehouse/record"
)

func TestMemoryIsTouchedBeforeColdMappedLoadsInVirtualMachines(t *testing.T) {
	for _, x := range []struct {
		loader    string
		pageCache string
		virtual   bool
		want      bool
	}{
		{"mmap", PageCacheDrop, true, true},
		{"pinned", PageCacheDrop, true, true},
		{"mmap", PageCacheKeep, true, false},
		{"direct", PageCacheDrop, true, false},
		{"mmap", PageCacheDrop, false, false},
	} {
		technique, err := loader.Find(x.loader)
		if err != nil {
			t.Fatal(err)
		}
		var here record.Machine
		if x.virtual {
			here.Hypervisor = new("a test")
		}
		r := &run{bench: &benchmark{}, planned: PlannedRun{TouchMemory: touches(technique, x.pageCache, here)}}
		touched := r.touchMemory(t.Context(), nil)
		if (touched != nil) != x.want {
			t.Errorf("%+v: %v", x, touched)
		}
	}
}
