package inference

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector/cuda"
	"github.com/sllmq/sllmq/collector/cuda/cudatest"
)

// hostCompiler stands for NVRTC: the fake driver runs the kernels of
// testdata/kernels_on_cpu.cpp.
type hostCompiler struct{ t *testing.T }

func (c hostCompiler) Compile(name, source string, major, minor int) ([]byte, error) {
	c.t.Helper()
	compiler := os.Getenv("CXX")
	if compiler == "" {
		compiler = "c++"
	}
	if _, err := exec.LookPath(compiler); err != nil {
		c.t.Skipf("no C++ compiler to make the kernels with: %v", err)
	}
	dir := c.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(source), 0o644); err != nil {
		return nil, err
	}
	library := filepath.Join(dir, "kernels.so")
	out, err := exec.Command(compiler, "-std=c++17", "-O2", "-Wall", "-Wno-unknown-pragmas", "-shared", "-fPIC", "-I", dir, "-o", library, filepath.Join("testdata", "kernels_on_cpu.cpp")).CombinedOutput()
	if err != nil || len(out) > 0 {
		c.t.Fatalf("compile the kernels: %v\n%s", err, out)
	}
	return []byte(library), nil
}

// onGPU puts tensors onto the device, each at an address that is a multiple of
// the least that checkpoints promise.
func onGPU(t *testing.T, c *cuda.Context, tensors map[string]Tensor) map[string]Tensor {
	t.Helper()
	there := map[string]Tensor{}
	i := 0
	for name, tensor := range tensors {
		const most = 9
		at, err := c.Alloc(int64(len(tensor.Data)) + most)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Free(at); err != nil {
				t.Error(err)
			}
		})
		to := at + cuda.Pointer([]int{0, 8, 2, 1}[i%4])
		i++
		if err := c.CopyToDevice(to, tensor.Data); err != nil {
			t.Fatal(err)
		}
		there[name] = Tensor{DType: tensor.DType, Shape: tensor.Shape, Device: to, Bytes: int64(len(tensor.Data))}
	}
	return there
}

func fakeGPU(t *testing.T, control string) (*cudatest.Library, *cuda.Context) {
	t.Helper()
	library := cudatest.Build(t, control)
	driver, err := cuda.Open(library.Path)
	if err != nil {
		t.Fatal(err)
	}
	device, err := driver.Device(0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := device.Retain()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Release(); err != nil {
			t.Error(err)
		}
	})
	return library, c
}

// TestTheGPUSaysWhatTransformersSays runs the kernels' own text.
func TestTheGPUSaysWhatTransformersSays(t *testing.T) {
	library, c := fakeGPU(t, "")
	g, err := NewGPU(c, hostCompiler{t})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range models {
		golden := readGolden(t, name)
		config, tensors := open(t, name)
		there := onGPU(t, c, tensors)
		before := library.Left().Bytes
		m, err := NewOnGPU(config, from(there), g)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		logits, err := m.Logits(t.Context(), golden.Prompt)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, name+" first", logits[0], golden.First)
		compare(t, name+" last", logits[len(logits)-1], golden.Last)
		r, err := m.Generate(t.Context(), golden.Prompt, Settings{NewTokens: 20})
		if err != nil || !slices.Equal(r.Tokens, golden.Tokens) {
			t.Errorf("%s: tokens %v, transformers has %v (%v)", name, r.Tokens, golden.Tokens, err)
		}
		m.Close()
		if after := library.Left().Bytes; after != before {
			t.Errorf("%s left %d bytes on the device", name, after-before)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if left := library.Left(); left.Streams != 0 {
		t.Errorf("%d streams are left", left.Streams)
	}
}

// TestAGPUThatFails takes the device's memory away, and its kernels, and asks
// that all be given back.
func TestAGPUThatFails(t *testing.T) {
	library, c := fakeGPU(t, "")
	g, err := NewGPU(c, hostCompiler{t})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	golden := readGolden(t, "qwen3")
	config, tensors := open(t, "qwen3")
	m, err := NewOnGPU(config, from(onGPU(t, c, tensors)), g)
	if err != nil {
		t.Fatal(err)
	}
	before := library.Left()
	for control, want := range map[string]string{
		"fail=cuMemAlloc:2:0":      "out of memory",
		"fail=cuMemAlloc:2:9":      "out of memory",
		"fail=cuLaunchKernel:1:40": "cuLaunchKernel: invalid argument",
		"fail=cuMemcpyHtoD:1:1":    "cuMemcpyHtoD: invalid argument",
		"fail=cuMemcpyDtoH:1:0":    "cuMemcpyDtoH: invalid argument",
	} {
		library.Control(control)
		if _, err := m.Generate(t.Context(), golden.Prompt, Settings{NewTokens: 3}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", control, err, want)
		}
		library.Control("")
		if left := library.Left(); left != before {
			t.Errorf("%s: %+v are left, %+v were there before", control, left, before)
		}
	}
	library.Control("fail=cuModuleGetFunction:500:5")
	if _, err := NewGPU(c, hostCompiler{t}); err == nil || !strings.Contains(err.Error(), "find kernel") {
		t.Errorf("%v, want a kernel that is not found", err)
	}
}
