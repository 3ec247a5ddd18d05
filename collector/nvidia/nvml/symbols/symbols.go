// Package symbols defines the C functions of NVIDIA's management library that
// go-nvml calls and leaves undefined.
//
// go-nvml links with unresolved symbols ignored and relies on lazy binding: the
// dynamic linker finds a function at its first call, after go-nvml has opened
// libnvidia-ml.so.1. Two things go wrong with that. A program linked with
// -z now, which is the default of some distributions, binds every function when
// it starts, and dies before main on a machine without the driver. And calling a
// function that an older driver lacks ends the process.
//
// So each of the functions is defined here, as a jump through a slot of its own.
// Bind points the slots at the functions of an open library; the others return
// NVML_ERROR_FUNCTION_NOT_FOUND, as they all do before. The definitions are
// hidden, so that no library binds to them by mistake.
package symbols

//go:generate go run generate.go

// #cgo LDFLAGS: -ldl
// #include "symbols.h"
import "C"

// Bind makes the functions those of the library with this handle, as dlopen(3)
// returned it. No function may be running meanwhile, and the library must stay
// open.
func Bind(handle uintptr) { C.sllmq_nvml_bind(C.uintptr_t(handle)) }
