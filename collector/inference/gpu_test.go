package inference

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/nvidia/nvrtc"
)

// hostCompiler replaces NVRTC: it compiles testdata/kernels_on_cpu.cpp, whose
// kernels the fake driver runs.
type hostCompiler struct{ t *testing.T }

func (c hostCompiler) Compile(name, source string, major, minor int) ([]byte, error) {
	c.t.Helper()
	dir := c.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(source), 0o644); err != nil {
		return nil, err
	}
	return []byte(cudatest.BuildKernels(c.t, filepath.Join("testdata", "kernels_on_cpu.cpp"), dir)), nil
}

// anyOffset holds offsets in bytes from the device's alignment. Formats do not
// guarantee any alignment.
var anyOffset = []int{0, 8, 2, 1}

// onGPU copies tensors to the device, each at the next of the given offsets from
// the device's alignment.
func onGPU(t testing.TB, c *cuda.Context, tensors map[string]Tensor, offsets []int) map[string]Tensor {
	t.Helper()
	copied := map[string]Tensor{}
	i := 0
	for name, tensor := range tensors {
		const padding = 9
		at, err := c.Alloc(int64(len(tensor.Data)) + padding)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Free(at); err != nil {
				t.Error(err)
			}
		})
		to := at + cuda.Pointer(offsets[i%len(offsets)])
		i++
		if err := c.CopyToDevice(to, tensor.Data); err != nil {
			t.Fatal(err)
		}
		copied[name] = Tensor{DType: tensor.DType, Shape: tensor.Shape, Device: to, Bytes: int64(len(tensor.Data))}
	}
	return copied
}

func fakeGPU(t *testing.T, control string) (*cudatest.Library, *cuda.Context) {
	t.Helper()
	library := cudatest.Build(t, control)
	return library, openDevice(t, library.Path)
}

// openDevice returns the context of the first device of the driver at path, which
// is released at the end of the test.
func openDevice(t testing.TB, path string) *cuda.Context {
	t.Helper()
	driver, err := cuda.Open(path)
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
	return c
}

// TestKernelsEqualTransformers runs the source of the kernels on the CPU.
func TestKernelsEqualTransformers(t *testing.T) {
	library, c := fakeGPU(t, "")
	g, err := NewGPU(c, hostCompiler{t})
	if err != nil {
		t.Fatal(err)
	}
	equalTransformers(t, c, g, func() uint64 { return library.Left().Bytes })
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if left := library.Left(); left.Streams != 0 {
		t.Errorf("%d streams were not closed", left.Streams)
	}
}

// realGPU skips the test unless there is a GPU with NVRTC:
//
//	SLLMQ_TEST_CUDA=1 go test ./collector/inference -run RealGPU -bench RealGPU
func realGPU(t testing.TB) (*cuda.Context, *GPU) {
	t.Helper()
	if os.Getenv("SLLMQ_TEST_CUDA") == "" {
		t.Skip("SLLMQ_TEST_CUDA is not set")
	}
	c := openDevice(t, "")
	compiler, err := nvrtc.Open("")
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGPU(c, compiler)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, g
}

func TestRealGPUEqualsTransformers(t *testing.T) {
	c, g := realGPU(t)
	// The driver keeps memory that it allocates for itself in the first run.
	equalTransformers(t, c, g, func() uint64 { return 0 })
	equalTransformers(t, c, g, func() uint64 {
		free, total, err := c.Memory()
		if err != nil {
			t.Fatal(err)
		}
		return uint64(total - free)
	})
}

// BenchmarkDecodeOnRealGPU compares decoding with a copy of the same number of
// bytes on the device.
func BenchmarkDecodeOnRealGPU(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			c, g := realGPU(b)
			config, tensors, bytes := s.random()
			m, err := NewOnGPU(config, from(onGPU(b, c, tensors, []int{0})), g)
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			var rates, used, ratios []float64
			for b.Loop() {
				r, err := m.Generate(context.Background(), []int32{5, 6, 7, 8}, Settings{NewTokens: 50})
				if err != nil {
					b.Fatal(err)
				}
				decode := (r.Times[49] - r.Times[0]).Seconds() / 49
				copied := copyOnGPU(b, c, int64(bytes))
				rates, used, ratios = append(rates, 1/decode), append(used, bytes/decode/1e9), append(ratios, copied/decode)
			}
			reportMedians(b, []medianOf{{rates, "tokens/s"}, {used, "weight-GB/s"}, {ratios, "of-copy"}})
		})
	}
}

// copyOnGPU returns the seconds that a transfer of that many bytes takes: it
// copies half as many, which are read and written.
func copyOnGPU(b *testing.B, c *cuda.Context, bytes int64) float64 {
	at, err := c.Alloc(bytes)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Free(at)
	took := 0.0
	for range 2 { // the first warms up
		begun := time.Now()
		if err := errors.Join(c.CopyOnDevice(at, at+cuda.Pointer(bytes/2), bytes/2), c.Synchronize()); err != nil {
			b.Fatal(err)
		}
		took = time.Since(begun).Seconds()
	}
	return took
}

// equalTransformers compares the GPU's results for every model with the golden
// ones. used returns the bytes of device memory in use.
func equalTransformers(t *testing.T, c *cuda.Context, g *GPU, used func() uint64) {
	for _, name := range models {
		golden := readGolden(t, name)
		config, tensors := open(t, name)
		onDevice := onGPU(t, c, tensors, anyOffset)
		before := used()
		m, err := NewOnGPU(config, from(onDevice), g)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		golden.check(t, name, m)
		m.Close()
		if after := used(); after > before {
			t.Errorf("%s: %d bytes of device memory were not freed", name, after-before)
		}
	}
}

// TestGPUFailures makes calls of the driver fail and checks that all resources
// are released.
func TestGPUFailures(t *testing.T) {
	library, c := fakeGPU(t, "")
	g, err := NewGPU(c, hostCompiler{t})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	golden := readGolden(t, "qwen3")
	config, tensors := open(t, "qwen3")
	m, err := NewOnGPU(config, from(onGPU(t, c, tensors, anyOffset)), g)
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
			t.Errorf("%s: %v, want an error with %q", control, err, want)
		}
		library.Control("")
		if left := library.Left(); left != before {
			t.Errorf("%s: %+v remain, want %+v", control, left, before)
		}
	}
	library.Control("fail=cuModuleGetFunction:500:5")
	if _, err := NewGPU(c, hostCompiler{t}); err == nil || !strings.Contains(err.Error(), "find kernel") {
		t.Errorf("%v, want an error about a missing kernel", err)
	}
}
