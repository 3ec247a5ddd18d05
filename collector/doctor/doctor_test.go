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
)

func want(t *testing.T, list []Finding, check string, state State, saw string) {
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

// On any machine, each check has one finding, a failure comes with advice, and
// nothing is left on the storage.
func TestExamineAdvisesAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	list := Examine(t.Context(), Options{StoragePath: dir, PoolBytes: 1 << 20, Python: "no-such-python"})
	seen := map[string]bool{}
	for _, f := range list {
		if seen[f.Check] {
			t.Errorf("%s was checked twice", f.Check)
		}
		seen[f.Check] = true
		if f.Saw == "" || strings.Contains(f.Saw+f.Do, "\n") {
			t.Errorf("%+v", f)
		}
		if f.State == Fail && f.Do == "" {
			t.Errorf("%+v has no advice", f)
		}
	}
	for _, check := range []string{"memory lock", "memory", "huge pages", "storage", "free space", "O_DIRECT", "page cache", "io_uring", "CPU governor", "NUMA", "others at work", "Python worker", "sllm-store"} {
		if !seen[check] {
			t.Errorf("%s was not checked", check)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left on the storage: %v, %v", entries, err)
	}
	want(t, list, "Python worker", None, "no-such-python")
}

func TestStorageIsTried(t *testing.T) {
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err == nil && fs.Type == unix.TMPFS_MAGIC {
		dir, err := os.MkdirTemp("/dev/shm", "sllmq-test-*")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		list := storage(t.Context(), dir)
		want(t, list, "storage", Warn, "tmpfs")
		want(t, list, "O_DIRECT", Warn, "refused")
		want(t, list, "page cache", Warn, "would not be cold")
	}
	// A path that does not exist yet is tried at its nearest parent.
	dir := t.TempDir()
	want(t, storage(t.Context(), filepath.Join(dir, "a", "b")), "O_DIRECT", OK, dir+" ("+filepath.Join(dir, "a", "b")+" does not exist yet)")
	// The kernel lets nobody create a file here, not even root.
	want(t, storage(t.Context(), "/proc"), "writing", Fail, "/proc")
}

// A GPU is tried by a copy to it and back, on a fake driver.
func TestAGPUIsTried(t *testing.T) {
	driver := cudatest.Build(t, "devices=2")
	t.Setenv("FAKE_NVML", "gpus=2")
	o := Options{CUDA: driver.Path, NVML: cudatest.BuildNVML(t, t.TempDir())}
	list := gpus(t.Context(), o)
	want(t, list, "driver", Warn, "580.00.fake; GPU 0 is throttled: sw_power_cap")
	want(t, list, "CUDA", OK, "the driver supports CUDA ")
	want(t, list, "cuda:0", OK, "copies to it and back")
	want(t, list, "cuda:1", OK, "copies to it and back")
	if left := driver.Left(); left.Bytes != 0 || left.Contexts != 0 {
		t.Errorf("left on the GPU: %+v", left)
	}
	driver.Control("devices=1 fail=cuMemAlloc:2:0")
	list = gpus(t.Context(), Options{CUDA: driver.Path, NVML: "/nowhere/libnvidia-ml.so.1"})
	want(t, list, "cuda:0", Fail, "out of memory")
	want(t, list, "driver", Warn, "no NVML: library not found")
	driver.Control("devices=0")
	want(t, gpus(t.Context(), o), "GPU", None, "")
}

func TestAMissingDriverIsNotAFailure(t *testing.T) {
	if f := gpus(t.Context(), Options{CUDA: "/nowhere/libcuda.so.1"})[0]; f.State == Fail || f.Check != "GPU" {
		t.Errorf("%+v", f)
	}
}

func TestPythonPackages(t *testing.T) {
	fake := func(script string) string {
		path := filepath.Join(t.TempDir(), "python")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for script, c := range map[string]struct {
		state State
		saw   string
	}{
		`echo '{"executable": "/p", "packages": {"python": "3.12.1", "torch": "2.15.0", "transformers": "5.2", "safetensors": "0.8"}, "missing": ["accelerate", "serverless-llm-store"]}'`: {OK, "/p, Python 3.12.1, torch 2.15.0, transformers 5.2, safetensors 0.8"},
		`echo '{"executable": "/p", "packages": {"python": "3.12.1", "torch": "2.15.0"}, "missing": ["transformers", "safetensors", "accelerate"]}'`:                                       {None, "only --engine transformers needs safetensors, transformers"},
		`echo nonsense`: {Warn, "is not Python"},
		`exit 3`:        {Warn, "exit status 3"},
	} {
		want(t, []Finding{python(t.Context(), fake(script))}, "Python worker", c.state, c.saw)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, []Finding{python(ctx, fake("sleep 60"))}, "Python worker", Warn, "")
	if real, err := exec.LookPath("python3"); err == nil {
		if f := python(t.Context(), real); f.State == Warn || !strings.Contains(f.Saw, "Python 3.") {
			t.Errorf("%+v", f)
		}
	}
}

// The limit is lowered for this process alone, and does not bind root.
func TestNoMemoryMayBeLocked(t *testing.T) {
	if f := memoryLock(1 << 10); f.State == Fail {
		t.Errorf("%+v", f)
	}
	if os.Geteuid() == 0 {
		t.Skip("root may lock any amount")
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
	want(t, []Finding{memoryLock(1 << 30)}, "memory lock", Warn, "memory can't be locked")
}
