// Package nvrtc compiles CUDA C++ at run time with NVIDIA's compiler library, which
// Open loads if the machine has it.
//
// Source: nvrtc.h, and "NVRTC" of NVIDIA's documentation.
package nvrtc

import (
	"errors"
	"fmt"

	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
	"github.com/sllmq/sllmq/internal/text"
)

// api is the part of the library that is used. A program is an opaque pointer;
// sizes are size_t.
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

// Compiler is the open library.
type Compiler struct {
	library *sharedlib.Library
	api     api
}

// names are what the dynamic linker is asked for, newest first.
var names = []string{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}

// Open opens the library, at path or, if path is "", where it usually is.
func Open(path string) (*Compiler, error) {
	library, err := sharedlib.OpenToolkit(path, names...)
	if err != nil {
		return nil, fmt.Errorf("no NVRTC to compile kernels with (it comes with the CUDA toolkit, and as nvidia-cuda-nvrtc with PyTorch): %w", err)
	}
	c := &Compiler{library: library}
	library.Bind(&c.api)
	return c, nil
}

// Compile compiles a source for a compute capability, such as 9, 0, and returns
// code for cuda.LoadModule: a cubin, or, for a device newer than the compiler,
// PTX, which the driver compiles further.
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

// target returns the architecture to compile for: the device's own, or the newest
// virtual one that both the compiler and the device support.
func (c *Compiler) target(capability int) (name string, native bool, err error) {
	var n int32
	if err := c.check("nvrtcGetNumSupportedArchs", c.api.NumSupportedArchs(&n)); err != nil {
		return "", false, err
	}
	if n < 1 || n > 1000 {
		return "", false, fmt.Errorf("%s reports %d architectures", c.library.Name(), n)
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
		return "", false, fmt.Errorf("%s does not support an architecture as old as %d.%d: install the NVRTC of an older CUDA toolkit", c.library.Name(), capability/10, capability%10)
	case capability:
		return fmt.Sprintf("sm_%d", best), true, nil
	}
	return fmt.Sprintf("compute_%d", best), false, nil
}

// maxCode bounds the size of the compiler's output, in bytes.
const maxCode = 64 << 20

func (c *Compiler) take(program uintptr, what string, size func(uintptr, *uint64) int32, get func(uintptr, *byte) int32) ([]byte, error) {
	var n uint64
	if err := c.check("nvrtcGet"+what+"Size", size(program, &n)); err != nil {
		return nil, err
	}
	if n == 0 || n > maxCode {
		return nil, fmt.Errorf("%s returned %d bytes of %s", c.library.Name(), n, what)
	}
	b := make([]byte, n)
	if err := c.check("nvrtcGet"+what, get(program, &b[0])); err != nil {
		return nil, err
	}
	return b, nil
}

// log returns the compiler's messages about a program, on one line.
func (c *Compiler) log(program uintptr) string {
	log, err := c.take(program, "ProgramLog", c.api.LogSize, c.api.Log)
	if err != nil {
		return err.Error()
	}
	return text.OneLine(string(log))
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

// cString terminates a string for C.
func cString(s string) *byte { return &append([]byte(s), 0)[0] }
