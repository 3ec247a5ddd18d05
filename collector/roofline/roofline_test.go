package roofline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/roofline"
)

func files(t *testing.T, sizes ...int) []string {
	t.Helper()
	var paths []string
	for i, size := range sizes {
		path := filepath.Join(t.TempDir(), string(rune('a'+i)))
		if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func TestMeasureCarriesOutThePlan(t *testing.T) {
	plan := roofline.Plan{
		Files:    files(t, 3<<20+5, 1<<20, 7),
		Settings: []roofline.Setting{{Threads: 2, IOBytes: 1 << 20}, {Threads: 3, IOBytes: 1 << 18}},
		Bytes:    2 << 20, Time: time.Minute, Rounds: 2,
		CopyThreads: 3, CopyBytes: 16 << 20,
	}
	all, err := roofline.Measure(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	var read int64
	for i, m := range all[:4] {
		want := plan.Settings[i%2]
		if m.Kind != roofline.StorageRead || m.Threads != want.Threads || m.Depth != want.Threads || m.IOBytes != want.IOBytes || m.Took <= 0 || !strings.HasPrefix(m.Method, "pread, ") {
			t.Errorf("trial %d: %+v", i, m)
		}
		read += m.Bytes
	}
	// 2 MiB per trial, less where a read ends at a file's end.
	if read > 8<<20 || read < 5<<20 {
		t.Errorf("%d bytes were read", read)
	}
	var threads []int
	for _, m := range all[4:] {
		threads = append(threads, m.Threads)
		if m.Kind != roofline.MemoryCopy || m.Bytes != 16<<20 || m.BytesPerS() <= 0 {
			t.Errorf("%+v", m)
		}
	}
	if len(threads) != 3 || threads[0] != 1 || threads[1] != 2 || threads[2] != 3 {
		t.Errorf("copied on %v threads", threads)
	}
	if best := roofline.Best(all, roofline.MemoryCopy); best < all[4].BytesPerS() || best < all[6].BytesPerS() {
		t.Errorf("best of copies is %v", best)
	}
}

func TestATrialEndsAtItsTimeLimit(t *testing.T) {
	plan := roofline.Plan{Files: files(t, 4<<20), Settings: []roofline.Setting{{Threads: 1, IOBytes: 4096}}, Bytes: 1 << 40, Time: time.Millisecond}
	plan.Bytes = 1 << 30
	all, err := roofline.Measure(t.Context(), plan)
	if err != nil || len(all) != 1 || all[0].Bytes == 0 || all[0].Bytes >= plan.Bytes {
		t.Fatalf("%+v, %v", all, err)
	}
}

func TestMeasureFails(t *testing.T) {
	one := []roofline.Setting{{Threads: 1, IOBytes: 4096}}
	for _, test := range []struct {
		plan roofline.Plan
		want string
	}{
		{roofline.Plan{Files: []string{filepath.Join(t.TempDir(), "none")}, Settings: one}, "no such file"},
		{roofline.Plan{Files: files(t, 10), Settings: one}, "no file has"},
		{roofline.Plan{Files: files(t, 8192), Settings: []roofline.Setting{{Threads: 1, IOBytes: 100}}, Bytes: 1, Time: time.Second}, "a positive multiple of 4096"},
	} {
		if _, err := roofline.Measure(t.Context(), test.plan); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want something with %q", err, test.want)
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := roofline.Measure(done, roofline.Plan{Files: files(t, 8192), Settings: one, Bytes: 4096, Time: time.Second}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
