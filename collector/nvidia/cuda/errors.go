package cuda

import (
	"fmt"
	"unsafe"

	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
)

// Code is a CUresult. It is an error, for errors.Is(err, cuda.OutOfMemory).
type Code int32

// The codes that callers test for.
const (
	InvalidValue      Code = 1
	OutOfMemory       Code = 2
	NoDevice          Code = 100
	AlreadyRegistered Code = 712
	NotPermitted      Code = 800
	NotSupported      Code = 801
	missingFunction        = Code(sharedlib.Missing)
)

func (c Code) Error() string { return fmt.Sprintf("CUDA error %d", int32(c)) }

// Error is a failed call of the driver, with the driver's description.
type Error struct {
	Call string // its name in cuda.h
	Code Code
	Name string // CUDA_ERROR_OUT_OF_MEMORY
	Text string // out of memory
}

func (e *Error) Error() string {
	if e.Code == missingFunction {
		return e.Text
	}
	return fmt.Sprintf("%s: %s (%s)", e.Call, e.Text, e.Name)
}

func (e *Error) Unwrap() error { return e.Code }

// check turns a call's result into an error.
func (d *Driver) check(call string, result int32) error {
	if result == 0 {
		return nil
	}
	if Code(result) == missingFunction {
		return &Error{Call: call, Code: missingFunction, Text: fmt.Sprintf("%s has no %s: update NVIDIA's driver", d.library.Name(), call)}
	}
	e := &Error{Call: call, Code: Code(result), Name: fmt.Sprintf("CUDA error %d", result), Text: "no description"}
	var text *byte
	if d.api.GetErrorName(result, &text) == 0 {
		e.Name = goString(text)
	}
	if d.api.GetErrorString(result, &text) == 0 {
		e.Text = goString(text)
	}
	return e
}

// goString copies a C string, at most 1 KiB of it.
func goString(text *byte) string {
	const most = 1 << 10
	if text == nil {
		return ""
	}
	var b []byte
	for i := range most {
		c := *(*byte)(unsafe.Add(unsafe.Pointer(text), i))
		if c == 0 {
			break
		}
		b = append(b, c)
	}
	return string(b)
}

// cString terminates a string for C.
func cString(s string) *byte {
	return &append([]byte(s), 0)[0]
}
