package collector_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/warehouse/record"
)

// larger is a local folder with a checkpoint of 16 MiB, large enough that the page
// cache can hold a part of it.
func larger(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "larger")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	writeSafeTensors(t, filepath.Join(dir, "a.safetensors"), "a", 8<<20)
	return dir
}

// TestTiersOfRealLoads places the bytes of loads in the page cache, the pool or on
// storage, and expects that source tier.
func TestTiersOfRealLoads(t *testing.T) {
	storage := t.TempDir()
	if m, err := machine.Describe(t.Context(), storage); err != nil || m.Filesystem == nil || *m.Filesystem == "tmpfs" || machine.BlockDevice(storage) == "" {
		t.Skip("the temporary folder is not on a block device")
	}
	model := larger(t)
	measure := func(change func(*collector.Request), before func(files []string)) map[string]string {
		t.Helper()
		c := config(t, model)
		c.StoragePath = storage
		c.BenchmarkTypes, c.Replicas, c.DType = []string{collector.Random}, 1, "auto"
		c.Loaders, c.Inference = []string{"mmap-parallel", "direct", "pool"}, collector.InferenceNone
		change(&c)
		if before != nil {
			files, err := filepath.Glob(filepath.Join(c.StoragePath, "local", "*", "*", "*", "0", "*"))
			if err != nil {
				t.Fatal(err)
			}
			before(files)
		}
		var sink memory
		if result, progress := run(t, t.Context(), c, &sink); result.Failed > 0 {
			t.Fatal(progress.notes)
		}
		tiers := map[string]string{}
		for _, l := range sink.Loads {
			for _, r := range sink.Runs {
				if r.ID == l.RunID && !l.Warmup && l.SourceTier != nil {
					tiers[r.Format+" "+r.Loader] = *l.SourceTier
				}
			}
		}
		return tiers
	}
	read := func(share float64) func([]string) {
		return func(files []string) {
			for _, path := range files {
				if err := machine.Drop([]string{path}); err != nil {
					t.Fatal(err)
				}
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				info, err := f.Stat()
				if err != nil {
					t.Fatal(err)
				}
				// No read-ahead: what is read is what is there.
				withoutReadAhead(t, f)
				if _, err := f.ReadAt(make([]byte, int64(share*float64(info.Size()))), 0); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	expect := func(what string, got map[string]string, want map[string]string) {
		t.Helper()
		for arm, tier := range want {
			if got[arm] != tier {
				t.Errorf("%s: %s came from %q, want %q", what, arm, got[arm], tier)
			}
		}
	}
	keep := func(c *collector.Request) { c.PageCache = collector.PageCacheKeep }
	expect("dropped", measure(func(*collector.Request) {}, nil), map[string]string{
		"safetensors mmap-parallel": record.TierStorage, "safetensors direct": record.TierStorage, "sllm direct": record.TierStorage, "sllm pool": record.TierStorage})
	expect("read before", measure(keep, read(1)), map[string]string{"safetensors mmap-parallel": record.TierPageCache})
	expect("half read before", measure(keep, read(0.5)), map[string]string{"safetensors mmap-parallel": record.TierMixed})
	expect("loaded before", measure(func(c *collector.Request) { c.BenchmarkTypes = []string{collector.Cached} }, nil), map[string]string{
		"safetensors mmap-parallel": record.TierPageCache, "sllm pool": record.TierPool})

	inMemory, err := os.MkdirTemp("/dev/shm", "sllmq-test-")
	if err != nil {
		t.Logf("no tmpfs at /dev/shm: %v", err)
		return
	}
	t.Cleanup(func() { os.RemoveAll(inMemory) })
	expect("on tmpfs", measure(func(c *collector.Request) { c.StoragePath = inMemory }, nil), map[string]string{
		"safetensors mmap-parallel": record.TierPageCache, "safetensors direct": record.TierPageCache, "sllm direct": record.TierPageCache, "sllm pool": record.TierPageCache})
}

// TestDirtyMemoryIsRecorded writes data that the kernel has not put on storage when
// a load begins, and expects the load's row to count it.
func TestDirtyMemoryIsRecorded(t *testing.T) {
	c := config(t, larger(t))
	c.DType, c.Loaders, c.Inference = "auto", []string{"direct"}, collector.InferenceNone
	c.PageCache, c.Replicas, c.Formats = collector.PageCacheKeep, 1, []string{"safetensors"}
	var prepared memory
	run(t, t.Context(), c, &prepared)
	unsynced, err := os.Create(filepath.Join(c.StoragePath, "unsynced"))
	if err != nil {
		t.Fatal(err)
	}
	defer unsynced.Close()
	const size = 64 << 20
	var most int64
	for range 3 { // the kernel may write the data back meanwhile
		if _, err := unsynced.WriteAt(make([]byte, size), 0); err != nil {
			t.Fatal(err)
		}
		var sink memory
		run(t, t.Context(), c, &sink)
		for _, l := range sink.Loads {
			if l.DirtyBeforeBytes == nil {
				t.Fatal("a load without dirty_before_bytes")
			}
			most = max(most, *l.DirtyBeforeBytes)
		}
		if most >= size/2 {
			return
		}
	}
	if m, err := machine.Describe(t.Context(), c.StoragePath); err != nil || m.Filesystem == nil || *m.Filesystem == "tmpfs" {
		t.Skip("the temporary folder has no storage to write to")
	}
	t.Errorf("dirty_before_bytes is at most %d after %d bytes were written", most, size)
}

// TestRooflineBoundsAndSamples expects every load to have an efficiency, and samples
// of the machine.
func TestRooflineBoundsAndSamples(t *testing.T) {
	c := config(t, larger(t))
	c.BenchmarkTypes, c.DType, c.Roofline, c.IOTrace, c.AA = []string{collector.Random}, "auto", true, true, true
	c.Loaders, c.Inference = []string{"direct", "pool"}, collector.InferenceNone
	var sink memory
	result, progress := run(t, t.Context(), c, &sink)
	if result.Failed > 0 {
		t.Fatal(progress.notes)
	}
	twins := map[string]int{}
	for _, r := range sink.Runs {
		twins[r.Tags["aa"]]++
	}
	if len(sink.Runs) != 6 || twins["a"] != 3 || twins["b"] != 3 {
		t.Fatalf("%d runs, twins %v", len(sink.Runs), twins)
	}
	kinds := map[string]int{}
	for _, r := range sink.Rooflines {
		kinds[r.Kind]++
		if r.BandwidthBytesPerS <= 0 || r.Bytes <= 0 || r.RunID == nil || *r.Session != 0 {
			t.Errorf("%+v", r)
		}
	}
	if kinds["storage_read"] < 2*6 || kinds["memory_copy"] < 6 {
		t.Errorf("rooflines: %v", kinds)
	}
	for _, l := range sink.Loads {
		if l.Bound == nil || l.Efficiency == nil || *l.Efficiency <= 0 || l.CopyBoundS == nil || l.StorageBoundS == nil || l.CPUBoundS == nil {
			t.Fatalf("load %d: bound %v, efficiency %v", l.Seq, l.Bound, l.Efficiency)
		}
		if l.IOMethod == nil || *l.IOMethod != "pread" || l.IODepth == nil || *l.IODepth < 1 || l.IOSizeBytes == nil || *l.IOSizeBytes != 1<<20 {
			t.Errorf("load %d was read by %v, %v of %v", l.Seq, l.IOMethod, l.IODepth, l.IOSizeBytes)
		}
		if root := os.Geteuid() == 0; root && (l.CPUDelayS == nil || *l.CPUDelayS < 0) {
			t.Errorf("load %d: root has no delays of the worker", l.Seq)
		}
		roof := max(*l.StorageBoundS, *l.CopyBoundS)
		if got := *l.Efficiency * *l.LoadingTimeS; got < roof*0.999 || got > roof*1.001 {
			t.Errorf("load %d: efficiency %v of %v s, bounds %v and %v s", l.Seq, *l.Efficiency, *l.LoadingTimeS, *l.StorageBoundS, *l.CopyBoundS)
		}
	}
	for _, s := range sink.Sessions {
		if s.HugePageBytes == nil || *s.HugePageBytes < 0 {
			t.Errorf("session %d: huge pages %v", s.Session, s.HugePageBytes)
		}
	}
	// Each load's requests cover its file once, and were queued together, when the
	// index was read.
	covered := map[string]int64{}
	queued := map[string]float64{}
	for _, c := range sink.IOTraces {
		covered[c.RunID] += c.Bytes
		if c.QueuedS == nil || *c.QueuedS <= 0 || *c.QueuedS > c.StartS {
			t.Fatalf("queued %v, started at %v s", c.QueuedS, c.StartS)
		}
		load := fmt.Sprint(c.RunID, c.Seq)
		if at, ok := queued[load]; ok && at != *c.QueuedS {
			t.Errorf("request %d of a load was queued at %v s, others at %v s", c.Chunk, *c.QueuedS, at)
		}
		queued[load] = *c.QueuedS
		if c.File == "" || c.DurationS < 0 || *c.CopiedS < c.StartS+c.DurationS-1e-9 {
			t.Errorf("%+v", c)
		}
	}
	for run, bytes := range covered {
		if bytes < 3*16<<20 || bytes > 3*17<<20 {
			t.Errorf("run %s: requests of %d bytes for three loads of 16 MiB", run, bytes)
		}
	}
	if len(covered) != 6 {
		t.Errorf("%d runs are traced", len(covered))
	}
}

func withoutReadAhead(t *testing.T, f *os.File) {
	t.Helper()
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
		t.Fatal(err)
	}
}
