package worker_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/warehouse/record"
)

// talker is a folder with a tiny checkpoint, and a tokenizer with one token per
// character.
func talker(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "inference", "testdata", "llama-3"))); err != nil {
		t.Fatal(err)
	}
	vocabulary := map[string]int{}
	for c := ' '; c <= '~'; c++ {
		vocabulary[string(c)] = 3 + int(c-' ')
	}
	text, err := json.Marshal(map[string]any{"model": map[string]any{"type": "BPE", "vocab": vocabulary, "merges": []string{}}, "decoder": map[string]any{"type": "Fuse"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// generate loads a checkpoint in a worker and has it continue a prompt.
func generate(t *testing.T, dir, device string) *record.Inference {
	t.Helper()
	p, err := start(t, "native", worker.Open{Format: "safetensors", Loader: "mmap", Device: device, Threads: 1, DeviceBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(20 * time.Second); err != nil {
			t.Error(err)
		}
	}()
	files := []string{filepath.Join(dir, "model.safetensors")}
	if o, err := p.Load(t.Context(), worker.Load{Dir: dir, Files: files, Keep: true}, time.Minute); err != nil || o.Load.Error != nil {
		t.Fatalf("%+v, %v", o, err)
	}
	g, err := p.Generate(t.Context(), worker.Generate{Dir: dir, Prompt: "The quick brown fox", NewTokens: 8, TopP: 1, Threads: 1}, time.Minute)
	if err != nil || g.Error != nil {
		t.Fatalf("%+v, %v", g, err)
	}
	return g
}

func TestGPUGeneratesWhatTheCPUDoes(t *testing.T) {
	dir := talker(t)
	cpu := generate(t, dir, "host")
	if *cpu.Device != "host" || *cpu.OutputTokens != 8 {
		t.Fatalf("%+v", cpu)
	}
	t.Setenv("LD_LIBRARY_PATH", cudatest.Build(t, "").Dir)
	cudatest.BuildNVRTC(t, os.Getenv("LD_LIBRARY_PATH"))
	t.Setenv("FAKE_NVRTC", cudatest.BuildKernels(t, filepath.Join("..", "inference", "testdata", "kernels_on_cpu.cpp"), filepath.Join("..", "inference")))
	gpu := generate(t, dir, "cuda:0")
	if *gpu.Device != "cuda:0" || *gpu.TokenIDsSHA256 != *cpu.TokenIDsSHA256 || *gpu.OutputText != *cpu.OutputText {
		t.Errorf("the GPU says %+v, the CPU %+v", gpu, cpu)
	}
	// Without a compiler the load stands.
	t.Setenv("FAKE_NVRTC_FAILS", "no such architecture")
	if g := generate(t, dir, "cuda:0"); g.Unsupported == nil || !strings.Contains(*g.Unsupported, "compile the inference kernels") || g.TokenIDsSHA256 != nil {
		t.Errorf("without kernels: %+v", g)
	}
}
