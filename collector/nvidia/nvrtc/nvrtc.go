// Package nvrtc compiles CUDA C++ at run time, with NVIDIA's own compiler
// library where a machine has it.
//
// Source: nvrtc.h, and "NVRTC" of NVIDIA's documentation.
package nvrtc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
)

// api is what is used of the library. A program is a pointer of its own; sizes
// are size_t.
type api struct {
	NumSupportedArchs func(count *int32) int32                                                              `c:"nvrtcGetNumSupportedArchs"`
	SupportedArchs    func(archs *int32) int32                                                              `c:"nvrtcGetSupportedArchs"`
	CreateProgram     func(program *uintptr, source, name *byte, headers int32, texts, names uintptr) int32 `c:"nvrtcCreateProgram"`
	DestroyProgram    func(program *uintptr) int32                                                          `c:"nvrtcDestroyProgram"`
	CompileProgram    func(program uintptr, options int32, texts **byte) int32                              `c:"nvrtcCompileProgram"`
	LogSize           func(program uintptr, bytes *uint64) int32                                            `c:"nvrtcGetProgramLogSize"`
	Log               func(program uintptr, text *byte) int32                                               `c:"nvrtcGetProgramLog"`
	PTXSize           func(program uintptr, bytes *uint64) int32                                            `c:"nvrtcGetPTXSize"`
	PTX               func(program uintptr, text *byte) int32                                               `c:"nvrtcGetPTX"`
	CUBINSize         func(program uintptr, bytes *uint64) int32                                            `c:"nvrtcGetCUBINSize"`
	CUBIN             func(program uintptr, code *byte) int32                                               `c:"nvrtcGetCUBIN"`
}

// Compiler is the library, open.
type Compiler struct {
	library *sharedlib.Library
	api     api
}

// names are those that the dynamic linker is asked for, the newest first.
var names = []string{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}

// Open opens the library, at path or where it usually is.
func Open(path string) (*Compiler, error) {
	library, err := sharedlib.OpenToolkit(path, names...)
	if err != nil {
		return nil, fmt.Errorf("no NVRTC here to compile kernels with (it comes with the CUDA toolkit, and as nvidia-cuda-nvrtc with PyTorch): %w", err)
	}
	c := &Compiler{library: library}
	library.Bind(&c.api)
	return c, nil
}

// Compile compiles a source for a compute capability, such as 9 and 0, and
// returns code that the driver loads. A device that is newer than the compiler
// gets PTX, which its driver finishes.
func (c *Compiler) Compile(name, source string, major, minor int) (code []byte, err error) {
	target, native, err := c.target(10*major + minor)
	if err != nil {
		return nil, err
	}
	var program uintptr
	if err := c.check("nvrtcCreateProgram", c.api.CreateProgram(&program, cString(source), cString(name), 0, 0, 0)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.check("nvrtcDestroyProgram", c.api.DestroyProgram(&program))) }()
	options := []*byte{cString("--gpu-architecture=" + target), cString("--std=c++17")}
	if result := c.api.CompileProgram(program, int32(len(options)), &options[0]); result != 0 {
		return nil, fmt.Errorf("%w: %s", c.check("nvrtcCompileProgram", result), c.log(program))
	}
	if native {
		return c.take(program, "CUBIN", c.api.CUBINSize, c.api.CUBIN)
	}
	return c.take(program, "PTX", c.api.PTXSize, c.api.PTX)
}

// target names the architecture to compile for: the device's own, or the
// newest virtual one that the compiler knows and the device has.
func (c *Compiler) target(capability int) (name string, native bool, err error) {
	var n int32
	if err := c.check("nvrtcGetNumSupportedArchs", c.api.NumSupportedArchs(&n)); err != nil {
		return "", false, err
	}
	if n < 1 || n > 1000 {
		return "", false, fmt.Errorf("%s knows %d architectures", c.library.Name(), n)
	}
	archs := make([]int32, n)
	if err := c.check("nvrtcGetSupportedArchs", c.api.SupportedArchs(&archs[0])); err != nil {
		return "", false, err
	}
	best := 0
	for _, a := range archs {
		if int(a) <= capability {
			best = max(best, int(a))
		}
	}
	switch best {
	case 0:
		return "", false, fmt.Errorf("%s knows no architecture as old as %d.%d: install the NVRTC of an older CUDA toolkit", c.library.Name(), capability/10, capability%10)
	case capability:
		return fmt.Sprintf("sm_%d", best), true, nil
	}
	return fmt.Sprintf("compute_%d", best), false, nil
}

// maxCode bounds what the compiler may give, in bytes.
const maxCode = 64 << 20

func (c *Compiler) take(program uintptr, what string, size func(uintptr, *uint64) int32, get func(uintptr, *byte) int32) ([]byte, error) {
	var n uint64
	if err := c.check("nvrtcGet"+what+"Size", size(program, &n)); err != nil {
		return nil, err
	}
	if n == 0 || n > maxCode {
		return nil, fmt.Errorf("%s made %d bytes of %s", c.library.Name(), n, what)
	}
	b := make([]byte, n)
	if err := c.check("nvrtcGet"+what, get(program, &b[0])); err != nil {
		return nil, err
	}
	return b, nil
}

// log is what the compiler says of a program, on one line.
func (c *Compiler) log(program uintptr) string {
	text, err := c.take(program, "ProgramLog", c.api.LogSize, c.api.Log)
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(strings.TrimRight(string(text), "\x00")), " ")
}

// check turns a call's result into an error.
func (c *Compiler) check(call string, result int32) error {
	switch {
	case result == 0:
		return nil
	case result == sharedlib.Missing:
		return fmt.Errorf("%s has no %s: install the NVRTC of CUDA 11.2 or later", c.library.Name(), call)
	}
	return fmt.Errorf("%s: NVRTC error %d", call, result)
}

// cString ends a text as C does.
func cString(s string) *byte { return &append([]byte(s), 0)[0] }
