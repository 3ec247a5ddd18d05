// Package cudatest builds fakes of NVIDIA's libraries, for tests without a GPU. It
// compiles them from C, and skips the test if there is no C compiler.
package cudatest

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ebitengine/purego"
)

//go:embed lib/cuda.c
var cudaSource []byte

//go:embed lib/cufile.c
var cufileSource []byte

//go:embed lib/nvml.c
var nvmlSource []byte

//go:embed lib/nvrtc.c
var nvrtcSource []byte

// BuildCuFile compiles a fake GPUDirect Storage library into dir and returns its
// path: see lib/cufile.c.
func BuildCuFile(t testing.TB, dir string) string {
	t.Helper()
	return compile(t, dir, "libcufile.so.0", cufileSource)
}

// BuildNVML compiles a fake management library into dir, which may be a
// Library's, and returns its path: see lib/nvml.c. It lacks the functions
// without, as an older driver does.
func BuildNVML(t testing.TB, dir string, without ...string) string {
	t.Helper()
	return compile(t, dir, "libnvidia-ml.so.1", nvmlSource, lacking(without)...)
}

// BuildNVRTC compiles a fake NVRTC into dir and returns its path: see
// lib/nvrtc.c.
func BuildNVRTC(t testing.TB, dir string) string {
	t.Helper()
	return compile(t, dir, "libnvrtc.so.13", nvrtcSource)
}

// Library is a fake driver, built for one test.
type Library struct {
	Dir  string // for LD_LIBRARY_PATH
	Path string // of libcuda.so.1

	control func(text string)
	copies  func() uint64
	left    func(bytes, pinned, streams, events, graphs, contexts *uint64)
}

// Left is what was not freed: bytes, and numbers of objects.
type Left struct{ Bytes, Pinned, Streams, Events, Graphs, Contexts uint64 }

// Build compiles a fake driver, opens it in this process, and configures it with
// control: see lib/cuda.c.
func Build(t testing.TB, control string) *Library {
	t.Helper()
	return build(t, control)
}

// BuildWithout builds a driver that lacks a function, as an older one does.
func BuildWithout(t testing.TB, symbol string) *Library {
	t.Helper()
	return build(t, "", lacking([]string{symbol})...)
}

// lacking returns the compiler flags that rename functions out of the way.
func lacking(symbols []string) []string {
	var flags []string
	for _, s := range symbols {
		flags = append(flags, "-D"+s+"=lacking_"+s)
	}
	return flags
}

func build(t testing.TB, control string, flags ...string) *Library {
	t.Helper()
	l := &Library{Dir: t.TempDir()}
	l.Path = compile(t, l.Dir, "libcuda.so.1", cudaSource, flags...)
	handle, err := purego.Dlopen(l.Path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		t.Fatal(err)
	}
	purego.RegisterLibFunc(&l.control, handle, "fake_control")
	purego.RegisterLibFunc(&l.copies, handle, "fake_copies")
	purego.RegisterLibFunc(&l.left, handle, "fake_left")
	l.control(control)
	return l
}

// Control configures the driver anew.
func (l *Library) Control(text string) { l.control(text) }

// Copies returns how many copies to a device have been put into streams.
func (l *Library) Copies() uint64 { return l.copies() }

// Left returns what was not freed.
func (l *Library) Left() Left {
	var left Left
	l.left(&left.Bytes, &left.Pinned, &left.Streams, &left.Events, &left.Graphs, &left.Contexts)
	return left
}

// BuildKernels compiles kernels for the CPU, from a shim that includes their file
// in folder, and returns the library's path, which the fake driver takes as code.
func BuildKernels(t testing.TB, shim, folder string) string {
	t.Helper()
	compiler := os.Getenv("CXX")
	if compiler == "" {
		compiler = "c++"
	}
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("no C++ compiler for the kernels: %v", err)
	}
	library := filepath.Join(t.TempDir(), "kernels.so")
	out, err := exec.Command(compiler, "-std=c++17", "-O2", "-Wall", "-Wno-unknown-pragmas", "-shared", "-fPIC", "-I", folder, "-o", library, shim).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Fatalf("compile the kernels: %v\n%s", err, out)
	}
	return library
}

func compile(t testing.TB, dir, name string, source []byte, flags ...string) string {
	t.Helper()
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("no C compiler for %s: %v", name, err)
	}
	from, to := filepath.Join(dir, name+".c"), filepath.Join(dir, name)
	if err := os.WriteFile(from, source, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(compiler, append(flags, "-shared", "-fPIC", "-pthread", "-o", to, from)...).CombinedOutput(); err != nil {
		t.Fatalf("compile %s: %v\n%s", name, err, out)
	}
	return to
}
