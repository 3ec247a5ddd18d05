package nvrtc_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/nvidia/nvrtc"
)

func open(t *testing.T) *nvrtc.Compiler {
	t.Helper()
	c, err := nvrtc.Open(cudatest.BuildNVRTC(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCodeFitsTheDevice(t *testing.T) {
	c := open(t)
	for capability, want := range map[[2]int]string{
		{9, 0}:  "--gpu-architecture=sm_90 ",
		{8, 9}:  "--gpu-architecture=compute_80 ", // the newest that both support
		{12, 0}: "--gpu-architecture=compute_90 ",
	} {
		code, err := c.Compile("k.cu", "text", capability[0], capability[1])
		if err != nil || !strings.HasPrefix(string(code), want) {
			t.Errorf("%v: %q, %v, want %q", capability, code, err, want)
		}
	}
	if _, err := c.Compile("k.cu", "text", 5, 2); err == nil || !strings.Contains(err.Error(), "does not support an architecture as old as 5.2") {
		t.Errorf("too old: %v", err)
	}
}

func TestTheCompilersMessagesAreOneLine(t *testing.T) {
	t.Setenv("FAKE_NVRTC_FAILS", "k.cu(3): error:\n  expected a ;\n")
	_, err := open(t).Compile("k.cu", "text", 9, 0)
	if err == nil || err.Error() != "nvrtcCompileProgram: NVRTC error 6: k.cu(3): error: expected a ;" {
		t.Errorf("error %v", err)
	}
}

func TestNoCompiler(t *testing.T) {
	if _, err := nvrtc.Open("/not/there/libnvrtc.so"); err == nil || !strings.HasPrefix(err.Error(), "no NVRTC to compile") {
		t.Errorf("error %v", err)
	}
}

// TestTheRealCompiler needs NVRTC, which needs no GPU:
//
//	SLLMQ_TEST_NVRTC=libnvrtc.so.13 go test ./collector/nvidia/nvrtc
func TestTheRealCompiler(t *testing.T) {
	path := os.Getenv("SLLMQ_TEST_NVRTC")
	if path == "" {
		t.Skip("SLLMQ_TEST_NVRTC names no library")
	}
	c, err := nvrtc.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../inference/kernels.cu")
	if err != nil {
		t.Fatal(err)
	}
	for _, capability := range [][2]int{{8, 0}, {9, 0}} {
		code, err := c.Compile("kernels.cu", string(source), capability[0], capability[1])
		if err != nil || !bytes.HasPrefix(code, []byte("\x7fELF")) {
			t.Errorf("%v: %d bytes, %v", capability, len(code), err)
		}
	}
	if code, err := c.Compile("k.cu", "__global__ void k() {}", 99, 9); err != nil || !bytes.Contains(code, []byte(".version")) {
		t.Errorf("PTX for a device of the future: %.60q, %v", code, err)
	}
	if _, err := c.Compile("k.cu", "nonsense", 9, 0); err == nil || !strings.Contains(err.Error(), "k.cu(1): error") {
		t.Errorf("nonsense compiled: %v", err)
	}
}
