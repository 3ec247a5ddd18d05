package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/health"
)

func want(t *testing.T, list []health.Finding, check string, state health.State, saw string) {
	t.Helper()
	for _, f := range list {
		if f.Check != check {
			continue
		}
		if f.State != state || !strings.Contains(f.Saw, saw) {
			t.Errorf("%+v, want %s with %q", f, state, saw)
		}
		return
	}
	t.Errorf("no finding %q in %+v", check, list)
}

// Whatever this machine is: each check has one outcome, which says what was seen,
// and what to do unless all is well; and nothing is left on the storage.
func TestLookSaysWhatToDoAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	list := Look(t.Context(), Options{StoragePath: dir, PoolBytes: 1 << 20, Python: "no-such-python"})
	seen := map[string]bool{}
	for _, f := range list {
		if seen[f.Check] {
			t.Errorf("%s is told twice", f.Check)
		}
		seen[f.Check] = true
		if f.Saw == "" || strings.Contains(f.Saw+f.Do, "\n") {
			t.Errorf("%+v", f)
		}
		if f.State == health.Fail && f.Do == "" {
			t.Errorf("%+v says nothing of what to do", f)
		}
	}
	for _, check := range []string{"memory lock", "memory", "huge pages", "storage", "free space", "O_DIRECT", "page cache", "io_uring", "CPU governor", "NUMA", "others at work", "Python worker", "sllm-store"} {
		if !seen[check] {
			t.Errorf("%s was not looked at", check)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left on the storage: %v, %v", entries, err)
	}
	want(t, list, "Python worker", health.None, "no-such-python")
}

func TestStorageIsTried(t *testing.T) {
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err == nil && fs.Type == unix.TMPFS_MAGIC {
		dir, err := os.MkdirTemp("/dev/shm", "sllmq-test-*")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		list := storage(dir)
		want(t, list, "storage", health.Warn, "tmpfs")
		want(t, list, "O_DIRECT", health.Warn, "refused")
		want(t, list, "page cache", health.Warn, "would not be cold")
	}
	// What is not there yet is tried at its nearest parent.
	dir := t.TempDir()
	want(t, storage(filepath.Join(dir, "a", "b")), "O_DIRECT", health.OK, dir+" ("+filepath.Join(dir, "a", "b")+" is not there yet)")
	// The kernel lets nobody make a file here, root neither.
	want(t, storage("/proc"), "writing", health.Fail, "/proc")
}

// A GPU is tried by a copy there and back, on a driver that stands for NVIDIA's.
func TestAGPUIsTried(t *testing.T) {
	driver := cudatest.Build(t, "devices=2")
	t.Setenv("FAKE_NVML", "gpus=2")
	o := Options{CUDA: driver.Path, NVML: cudatest.BuildNVML(t, t.TempDir())}
	list := gpus(o)
	want(t, list, "driver", health.Warn, "580.00.fake; GPU 0 is slowed down: sw_power_cap")
	want(t, list, "CUDA", health.OK, "the driver knows CUDA ")
	want(t, list, "cuda:0", health.OK, "a copy there and back is right")
	want(t, list, "cuda:1", health.OK, "a copy there and back is right")
	if left := driver.Left(); left.Bytes != 0 || left.Contexts != 0 {
		t.Errorf("left on the GPU: %+v", left)
	}
	driver.Control("devices=1 fail=cuMemAlloc:2:0")
	list = gpus(Options{CUDA: driver.Path, NVML: "/nowhere/libnvidia-ml.so.1"})
	want(t, list, "cuda:0", health.Fail, "out of memory")
	want(t, list, "driver", health.Warn, "no NVML here")
	driver.Control("devices=0")
	want(t, gpus(o), "GPU", health.None, "")
}

func TestNoDriverIsNoFault(t *testing.T) {
	if f := gpus(Options{CUDA: "/nowhere/libcuda.so.1"})[0]; f.State == health.Fail || f.Check != "GPU" {
		t.Errorf("%+v", f)
	}
}

// A Python is asked for its packages, whatever it answers.
func TestPythonSaysWhatItHas(t *testing.T) {
	stand := func(script string) string {
		path := filepath.Join(t.TempDir(), "python")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for script, c := range map[string]struct {
		state health.State
		saw   string
	}{
		`echo '{"executable": "/p", "packages": {"python": "3.12.1", "torch": "2.15.0", "transformers": "5.2", "safetensors": "0.8"}, "missing": ["accelerate", "serverless-llm-store"]}'`: {health.OK, "/p, Python 3.12.1, torch 2.15.0, transformers 5.2, safetensors 0.8"},
		`echo '{"executable": "/p", "packages": {"python": "3.12.1", "torch": "2.15.0"}, "missing": ["transformers", "safetensors", "accelerate"]}'`:                                       {health.None, "only --engine transformers needs safetensors, transformers"},
		`echo nonsense`: {health.Warn, "is no Python"},
		`exit 3`:        {health.Warn, "exit status 3"},
	} {
		want(t, []health.Finding{python(t.Context(), stand(script))}, "Python worker", c.state, c.saw)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, []health.Finding{python(ctx, stand("sleep 60"))}, "Python worker", health.Warn, "")
	if real, err := exec.LookPath("python3"); err == nil {
		if f := python(t.Context(), real); f.State == health.Warn || !strings.Contains(f.Saw, "Python 3.") {
			t.Errorf("%+v", f)
		}
	}
}

// Where no memory may be locked, that is said. The limit is for this process
// alone, and only for one that has no right to pass over it.
func TestTheLimitOfLockedMemoryIsSaid(t *testing.T) {
	if f := memoryLock(1 << 10); f.State == health.Fail {
		t.Errorf("%+v", f)
	}
	if os.Geteuid() == 0 {
		t.Skip("root may lock what it likes")
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil {
			t.Error(err)
		}
	}()
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 0, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	want(t, []health.Finding{memoryLock(1 << 30)}, "memory lock", health.Warn, "none may be locked")
}
