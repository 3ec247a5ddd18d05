package worker_test

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint/filetest"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// standIns puts the fake packages of testdata/standins on Python's path, and
// returns the interpreter.
func standIns(t *testing.T) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 is installed")
	}
	path, err := filepath.Abs("testdata/standins")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYTHONPATH", path)
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	t.Setenv("HF_TOKEN", "secret")
	return python
}

// replica is a folder with a safetensors checkpoint of two tensors of float16.
func replica(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	header := `{"a":{"dtype":"F16","shape":[3,524287],"data_offsets":[0,3145722]},"b":{"dtype":"F16","shape":[3],"data_offsets":[3145722,3145728]}}`
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	for name, content := range map[string][]byte{"model.safetensors": filetest.SafeTensors(header, data), "config.json": []byte(`{"model_type":"opt"}`), "tokenizer.json": []byte(`{}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, []string{filepath.Join(dir, "model.safetensors")}
}

func startPython(t *testing.T, dir string) (*worker.Process, error) {
	t.Helper()
	return worker.StartPython(t.Context(), standIns(t), worker.Open{
		Format: "safetensors", Loader: "from_pretrained", Device: "host", DeviceBytes: 4 << 20, Dir: dir, DType: "auto", StoragePath: filepath.Dir(dir),
	}, time.Minute)
}

func TestPythonWorkerReportsWhatTheNativeOneDoes(t *testing.T) {
	for name, old := range map[string]string{"transformers 5": "", "before it": "1"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("STANDIN_OLD", old)
			testPythonWorker(t)
		})
	}
}

func testPythonWorker(t *testing.T) {
	t.Helper()
	dir, files := replica(t)
	p, err := startPython(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if *p.Session.PID == 0 || *p.Session.StartTimeS <= 0 {
		t.Errorf("session %+v", p.Session)
	}
	for i, keep := range []bool{true, false} {
		o, err := p.Load(t.Context(), worker.Load{Dir: dir, Files: files, Drop: true, Verify: true, Keep: keep}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		l := o.Load
		if l.Error != nil {
			t.Fatalf("load %d: %s", i, *l.Error)
		}
		if l.LoadingTimeS == nil || *l.LoadingTimeS <= 0 || time.Since(l.StartedAt) > time.Minute || *l.Bytes != 3<<20 || *l.Tensors != 2 {
			t.Errorf("load %d: %+v", i, o)
		}
		if l.Verified == nil || !*l.Verified {
			t.Errorf("load %d was not verified", i)
		}
		if len(o.Stages) != 2 || o.Stages[0].Stage != "from_pretrained" || o.Stages[1].Stage != "copy" || *o.Stages[1].Bytes != 3<<20 ||
			o.Stages[1].DurationS <= 0 || o.Stages[1].StartS+o.Stages[1].DurationS > *l.LoadingTimeS {
			t.Errorf("load %d: stages %+v in %v s", i, o.Stages, *l.LoadingTimeS)
		}
		if *l.DeviceMemoryBeforeBytes != 0 || *l.DeviceMemoryAfterBytes < 3<<20 || l.DeviceMemoryPeakBytes != nil {
			t.Errorf("load %d: device memory %d to %d", i, *l.DeviceMemoryBeforeBytes, *l.DeviceMemoryAfterBytes)
		}
		if *l.FileBytes <= 3<<20 || l.CPUUserS == nil || *l.MinorFaults == 0 || *l.PeakRSSBytes == 0 || l.MachineCPUS == nil {
			t.Errorf("load %d lacks evidence: %+v", i, o)
		}
		if l.ResidentBeforeBytes != nil && *l.ResidentBeforeBytes == 0 && (*l.ResidentAfterBytes < 3<<20 || l.SourceTier == nil || *l.SourceTier != record.TierStorage) {
			t.Errorf("load %d: dropped pages came from %v, %d bytes are there now", i, l.SourceTier, *l.ResidentAfterBytes)
		}
		if !keep {
			continue
		}
		g, err := p.Generate(t.Context(), worker.Generate{Dir: dir, Prompt: "Say", NewTokens: 2, TopP: 1}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		var times []float64
		if err := json.Unmarshal([]byte(*g.TokenTimesS), &times); err != nil {
			t.Fatal(err)
		}
		if g.Error != nil || g.Unsupported != nil || *g.OutputText != "Sayblah blah " || *g.InputTokens != 3 || *g.OutputTokens != 2 || *g.Device != "host" || len(times) != 2 || g.DecodeTokensPerS == nil ||
			*g.TokenIDsSHA256 != "28625f27a2f3d7f965ec406e885f2f1050684660b9941c56e95d96c46bcb42f9" {
			t.Errorf("generated %+v", g)
		}
	}
	if err := p.Close(time.Minute); err != nil {
		t.Error(err)
	}
}

func TestPythonWorkerOnAGPU(t *testing.T) {
	t.Setenv("STANDIN_CUDA", "1")
	dir, files := replica(t)
	index := `{"a":[0,3145722,[3,524287],[524287,1],"torch.float16"],"b":[3145728,6,[3],[1],"torch.float16"]}`
	for name, content := range map[string][]byte{"tensor_index.json": []byte(index), "tensor.data_0": make([]byte, 3145728+512)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Of a store the stand-in wants no more than that it listens.
	store, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for format, stages := range map[string]string{"safetensors": "from_pretrained synchronize", "sllm": "load_model synchronize"} {
		t.Run(format, func(t *testing.T) {
			p, err := worker.StartPython(t.Context(), standIns(t), worker.Open{Format: format, Device: "cuda:0", Dir: dir, DType: "float16", StoragePath: filepath.Dir(dir), Store: &worker.Store{StoreOptions: loader.StoreOptions{Address: store.Addr().String()}}}, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			o, err := p.Load(t.Context(), worker.Load{Dir: dir, Files: files, Verify: true}, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			l := o.Load
			if l.Error != nil || l.Verified == nil || !*l.Verified || *l.DeviceMemoryAfterBytes < *l.DeviceMemoryBeforeBytes+3<<20-6 || *l.DeviceMemoryPeakBytes < *l.DeviceMemoryAfterBytes {
				t.Errorf("%+v", o)
			}
			var names []string
			for _, s := range o.Stages {
				names = append(names, s.Stage)
			}
			if got := strings.Join(names, " "); got != stages {
				t.Errorf("stages %s, want %s", got, stages)
			}
			if format == "sllm" && l.StorageReadBytes != nil {
				t.Error("the server's reads are reported as the client's")
			}
			if err := p.Close(time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPythonWorkerFailures(t *testing.T) {
	for kind, want := range map[string]string{
		"raises": "RuntimeError: CUDA out of memory. Tried to allocate 20.00 GiB.",
		"memory": "MemoryError",
		"wrong":  "tensor a is not on the device as it is in the file",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Setenv("STANDIN_TROUBLE", kind)
			dir, files := replica(t)
			p, err := startPython(t, dir)
			if err != nil {
				t.Fatal(err)
			}
			o, err := p.Load(t.Context(), worker.Load{Dir: dir, Files: files, Verify: true, Keep: true}, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if e := o.Load.Error; e == nil || !strings.Contains(*e, want) || strings.Contains(*e, "\n") {
				t.Errorf("error %v, want %q", e, want)
			}
			// It lives, and has nothing left on the device.
			o, err = p.Load(t.Context(), worker.Load{Dir: dir, Files: files}, time.Minute)
			if err != nil || *o.Load.DeviceMemoryBeforeBytes != 0 {
				t.Errorf("the next load: %v, %+v", err, o)
			}
			if err := p.Close(time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
	for kind, want := range map[string]string{
		"dies":    "exit status 7: terminate called",
		"killed":  "signal 9",
		"hangs":   "did not answer within",
		"garbage": "not a reply",
		"talks":   "",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Setenv("STANDIN_TROUBLE", kind)
			dir, files := replica(t)
			p, err := startPython(t, dir)
			if err != nil {
				t.Fatal(err)
			}
			timeout := time.Minute
			if kind == "hangs" {
				timeout = 200 * time.Millisecond
			}
			_, err = p.Load(t.Context(), worker.Load{Dir: dir, Files: files}, timeout)
			var dead *worker.DeadError
			switch {
			case want == "":
				if err != nil {
					t.Error(err)
				}
				if err := p.Close(time.Minute); err != nil {
					t.Error(err)
				}
			case !errors.As(err, &dead) || !strings.Contains(err.Error(), want):
				t.Errorf("error %v, want a DeadError with %q", err, want)
			case !errors.Is(syscall.Kill(dead.PID, 0), syscall.ESRCH):
				t.Errorf("worker %d still runs", dead.PID)
			}
		})
	}
}

func TestPythonOpenErrors(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string, o *worker.Open)
		want   string
	}{
		"code of its own": {func(dir string, _ *worker.Open) {
			write(t, filepath.Join(dir, "config.json"), `{"auto_map":{"AutoModel":"modeling.Mine"}}`)
		}, "code of its own (auto_map), which is never run"},
		"no config": {func(dir string, _ *worker.Open) { _ = os.Remove(filepath.Join(dir, "config.json")) }, "config.json"},
		"no GPU":    {func(_ string, o *worker.Open) { o.Device = "cuda:0" }, "finds no GPU"},
		"sllm on the host": {func(_ string, o *worker.Open) {
			o.Format, o.DType, o.Store = "sllm", "float16", &worker.Store{StoreOptions: loader.StoreOptions{Address: "127.0.0.1:1"}}
		}, "sllm_store loads to a GPU only"},
		"no dtype": {func(dir string, _ *worker.Open) { _ = os.Remove(filepath.Join(dir, "model.safetensors")) }, "name a dtype"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := replica(t)
			o := worker.Open{Format: "safetensors", Device: "host", Dir: dir, DType: "auto", StoragePath: dir}
			c.change(dir, &o)
			if _, err := worker.StartPython(t.Context(), standIns(t), o, time.Minute); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, c.want)
			}
		})
	}
}

// A torch.py in the collector's working folder is not imported.
func TestWorkingFolderIsNotAPackage(t *testing.T) {
	dir, _ := replica(t)
	python := standIns(t)
	t.Chdir(t.TempDir())
	write(t, "torch.py", "raise SystemExit('it was run')")
	write(t, "json.py", "raise SystemExit('it was run')")
	p, err := worker.StartPython(t.Context(), python, worker.Open{Format: "safetensors", Device: "host", Dir: dir, DType: "float16", StoragePath: dir}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(time.Minute); err != nil {
		t.Error(err)
	}
}

func TestAskPython(t *testing.T) {
	python := standIns(t)
	p, err := worker.AskPython(t.Context(), python, []string{"torch", "transformers", "safetensors"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil || p.Packages["python"] == "" || p.Packages["torch"] == "" || p.Path == "" {
		t.Errorf("%v, %+v", err, p)
	}
	t.Setenv("PYTHONPATH", t.TempDir())
	if p, err = worker.AskPython(t.Context(), python, []string{"sllm_store", "accelerate"}); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err == nil || !strings.HasSuffix(err.Error(), "has no accelerate, serverless-llm-store: "+python+" -m pip install accelerate serverless-llm-store") {
		t.Errorf("missing packages: %v", err)
	}
	for command, want := range map[string]string{
		"/nonesuch/python": "no Python",
		"nonesuch-python":  "no Python",
		"false":            "exit status 1",
		"echo":             "it is not Python",
	} {
		if _, err := worker.AskPython(t.Context(), command, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", command, err, want)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
