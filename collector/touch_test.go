package collector

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Touched memory is freed and does not count towards this process's peak.
func TestTouchedMemoryIsFreed(t *testing.T) {
	const bytes = 300 << 20
	if free, err := machine.FreeMemory(); err != nil || free < 2<<30 {
		t.Skipf("%d bytes are free: %v", free, err)
	}
	before := ofStatus(t, "VmRSS")
	touched, err := TouchFreeMemory(t.Context(), bytes)
	if err != nil || touched < bytes {
		t.Fatalf("%d bytes, %v; want %d", touched, err, int64(bytes))
	}
	if held := ofStatus(t, "VmRSS") - before; held > bytes/4 {
		t.Errorf("%d bytes more are held", held)
	}
	if peak := ofStatus(t, "VmHWM") - before; peak > bytes/4 {
		t.Errorf("the peak is %d bytes over what was held before", peak)
	}
}

func TestTouchingStopsSoonAfterCancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	touched, err := TouchFreeMemory(ctx, 1<<30)
	if !errors.Is(err, context.Canceled) || touched > 256<<20 {
		t.Errorf("%d bytes, %v", touched, err)
	}
	if touched, err := TouchFreeMemory(t.Context(), 0); touched != 0 || err != nil {
		t.Errorf("nothing to touch: %d bytes, %v", touched, err)
	}
}

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

// ofStatus reads a value of /proc/self/status, in bytes.
func ofStatus(t *testing.T, key string) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if _, err := fmt.Sscanf(line, key+":%d", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatalf("no %s in %s", key, text)
	return 0
}
