package machine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector/machine"
)

// Touched memory is freed, and does not count in this process's peak.
func TestTouchFreeFreesMemoryAndForgetsIt(t *testing.T) {
	const bytes = 300 << 20
	if free, err := machine.FreeMemory(); err != nil || free < 2<<30 {
		t.Skipf("%d bytes are free: %v", free, err)
	}
	before := ofStatus(t, "VmRSS")
	touched, err := machine.TouchFree(t.Context(), bytes)
	if err != nil || touched < bytes {
		t.Fatalf("%d bytes, %v; want %d", touched, err, int64(bytes))
	}
	if held := ofStatus(t, "VmRSS") - before; held > bytes/4 {
		t.Errorf("%d bytes are still held", held)
	}
	if peak := ofStatus(t, "VmHWM") - before; peak > bytes/4 {
		t.Errorf("the peak is %d bytes above what was held before", peak)
	}
}

func TestTouchFreeStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	touched, err := machine.TouchFree(ctx, 1<<30)
	if !errors.Is(err, context.Canceled) || touched > 256<<20 {
		t.Errorf("%d bytes, %v", touched, err)
	}
	if touched, err := machine.TouchFree(t.Context(), 0); touched != 0 || err != nil {
		t.Errorf("nothing to touch: %d bytes, %v", touched, err)
	}
}

// ofStatus reads a size of /proc/self/status, in bytes.
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
