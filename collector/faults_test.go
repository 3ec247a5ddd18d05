package collector_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/warehouse/record"
)

// tensorFilesOf returns the tensor files of every replica of a format.
func tensorFilesOf(t *testing.T, c collector.Request, format string) []string {
	t.Helper()
	pattern := "tensor.data_*"
	if format == "safetensors" {
		pattern = "*.safetensors"
	}
	files, err := filepath.Glob(filepath.Join(c.StoragePath, "local", "*", "*", format, "*", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

// failures returns the errors of the loads in order.
func failures(sink *memory) (failed []string) {
	for _, l := range sink.Loads {
		if l.Error != nil {
			failed = append(failed, *l.Error)
		}
	}
	return failed
}

// TestFaultsAreRows breaks a replica between two loads: its load is a row with the
// reason, and the other loads succeed.
func TestFaultsAreRows(t *testing.T) {
	for _, fault := range []struct {
		name string
		do   func(path string) error
	}{
		{"cut short", func(path string) error { return os.Truncate(path, 5000) }},
		{"gone", os.Remove},
		{"a folder in its place", func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o755)
		}},
	} {
		for _, loader := range []string{"mmap-parallel", "pinned", "direct", "pool"} {
			t.Run(fault.name+" "+loader, func(t *testing.T) {
				c := config(t, larger(t))
				format := "safetensors"
				if loader == "pool" {
					format = "sllm"
				}
				c.BenchmarkTypes, c.DType, c.Inference = []string{collector.Random}, "auto", collector.InferenceNone
				c.Loaders, c.Formats, c.Seed = []string{loader}, []string{format}, 3
				var sink memory
				broken := false
				sink.then = func(b record.Batch) {
					if len(b.Loads) == 0 || broken {
						return
					}
					broken = true
					for _, path := range tensorFilesOf(t, c, format) {
						// All but the one that was loaded: two failures are to follow.
						if filepath.Base(filepath.Dir(path)) != strconv.FormatInt(b.Loads[0].Replica, 10) {
							if err := fault.do(path); err != nil {
								t.Error(err)
							}
						}
					}
				}
				result, progress := run(t, t.Context(), c, &sink)
				failed := failures(&sink)
				if result.Loads != 3 || result.Failed != 2 || len(failed) != 2 || len(sink.Loads) != 3 {
					t.Fatalf("%+v with %d rows: %v", result, len(sink.Loads), progress.notes)
				}
				for _, text := range failed {
					if strings.Contains(text, "\n") || !strings.Contains(text, filepath.Join("float16", format)) {
						t.Errorf("%q, want one line with the path", text)
					}
				}
			})
		}
	}
}

// TestBadSectorIsARow reads from a block device whose end fails, because the file
// below it was truncated. It needs root.
func TestBadSectorIsARow(t *testing.T) {
	storage := mountLoop(t, 256<<20)
	c := config(t, larger(t))
	c.StoragePath, c.Replicas = storage.dir, 2
	c.BenchmarkTypes, c.DType, c.Inference = []string{collector.Random}, "auto", collector.InferenceNone
	c.Formats, c.Loaders = []string{"sllm"}, []string{"direct", "pool"}
	var sink memory
	bad := int64(-1) // the replica that lies last on the device
	sink.then = func(b record.Batch) {
		if len(b.Loads) == 0 || bad >= 0 {
			return
		}
		end := 0
		for _, path := range tensorFilesOf(t, c, "sllm") {
			if block := firstBlock(t, path); block > end {
				end = block
				replica, err := strconv.ParseInt(filepath.Base(filepath.Dir(path)), 10, 64)
				if err != nil {
					t.Error(err)
				}
				bad = replica
			}
		}
		if err := os.Truncate(storage.image, int64(end)*4096+1<<20); err != nil {
			t.Error(err)
		}
	}
	_, progress := run(t, t.Context(), c, &sink)
	if len(sink.Loads) != 4 {
		t.Fatalf("%d loads: %v", len(sink.Loads), progress.notes)
	}
	for i, l := range sink.Loads[1:] {
		switch {
		case l.Replica != bad && l.Error != nil:
			t.Errorf("load %d: %s", i+1, *l.Error)
		case l.Replica == bad && l.Error == nil:
			t.Errorf("load %d of replica %d has no error", i+1, bad)
		case l.Replica == bad && (!strings.Contains(*l.Error, "input/output error") || !strings.Contains(*l.Error, "tensor.data_0")):
			t.Errorf("load %d: %q", i+1, *l.Error)
		}
	}
}

// TestStorageLostBetweenLoadsIsRows unmounts the storage path between two loads. It
// needs root.
func TestStorageLostBetweenLoadsIsRows(t *testing.T) {
	storage := mountLoop(t, 256<<20)
	c := config(t, larger(t))
	c.StoragePath, c.Sessions, c.Roofline = storage.dir, 2, true
	c.BenchmarkTypes, c.DType, c.Inference = []string{collector.Random}, "auto", collector.InferenceNone
	c.Loaders = []string{"mmap-parallel", "direct", "pool"}
	var sink memory
	away := false
	sink.then = func(b record.Batch) {
		if len(b.Loads) == 0 || away {
			return
		}
		away = true
		if out, err := exec.Command("umount", storage.dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	}
	result, progress := run(t, t.Context(), c, &sink)
	const loads = 4 * 2 * 3 // direct loads both formats
	if result.Loads != loads || result.Failed != loads-1 || len(sink.Loads) != loads || sink.Loads[0].Error != nil {
		t.Fatalf("%+v with %d rows: %v", result, len(sink.Loads), progress.notes)
	}
	for _, text := range failures(&sink) {
		if strings.Contains(text, "\n") || !strings.Contains(text, storage.dir) || !strings.Contains(text, "no such file") {
			t.Errorf("%q, want one line with the path", text)
		}
	}
	if len(sink.RunEnds) != 4 {
		t.Errorf("%d runs ended, want 4", len(sink.RunEnds))
	}
}

// firstBlock returns the number of a file's first block of 4096 bytes (FIBMAP).
func firstBlock(t *testing.T, path string) int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const fibmap = 1
	block, err := unix.IoctlGetInt(int(f.Fd()), fibmap)
	if err != nil || block == 0 {
		t.Skipf("no FIBMAP: %d, %v", block, err)
	}
	return block
}

// deafens is a variable of workers that names a file. The worker that creates the
// file gets ready and then stops reading.
const deafens = "SLLMQ_TEST_DEAF"

// beDeaf shrinks this worker's pipe to the minimum, reports that it is ready, and
// hangs. It returns if another worker did so before.
func beDeaf(mark string) {
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return
	}
	_ = f.Close()
	if _, err := unix.FcntlInt(0, unix.F_SETPIPE_SZ, 4096); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = os.Stdin.Read(make([]byte, 4096)) // the request to open
	fmt.Println(`{"ready":{"pid":1,"setup_time_s":0}}`)
	time.Sleep(time.Hour)
}

// The pipe of a worker that does not read cannot hold the request for a load, which
// contains long paths. That load is a row, and the run continues with another
// worker.
func TestWorkerThatDoesNotReadIsARow(t *testing.T) {
	c := config(t, tiny(t))
	c.StoragePath = filepath.Join(c.StoragePath, strings.Repeat(strings.Repeat("n", 200)+"/", 12))
	c.BenchmarkTypes, c.Inference, c.Replicas = []string{collector.Random}, collector.InferenceNone, 2
	c.Formats, c.Loaders = []string{"safetensors"}, []string{"raw"}
	c.LoadTimeout = 5 * time.Second
	t.Setenv(deafens, filepath.Join(t.TempDir(), "mark"))
	var sink memory
	result, _ := run(t, t.Context(), c, &sink)
	if failed := failures(&sink); result.Loads != 2 || len(failed) != 1 || !strings.Contains(failed[0], "did not answer within 5s") {
		t.Errorf("%+v, failed: %q", result, failed)
	}
}
