// Package cufile reads files into a GPU's memory with NVIDIA's GPUDirect Storage.
//
// The library by default falls back to reading through host memory, which it calls
// compatibility mode. Here it is off unless requested.
//
// Source: cufile.h, and "cuFile API Reference" of NVIDIA's documentation.
package cufile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
)

// api is the part of cufile.h that is used. Most functions return a struct of two
// ints, cuFile's code and CUDA's, in one register.
type api struct {
	SetParameterBool func(parameter int32, value bool) int64                                         `c:"cuFileSetParameterBool"`
	DriverOpen       func() int64                                                                    `c:"cuFileDriverOpen"`
	DriverClose      func() int64                                                                    `c:"cuFileDriverClose_v2"`
	HandleRegister   func(handle *uintptr, d *descriptor) int64                                      `c:"cuFileHandleRegister"`
	HandleDeregister func(handle uintptr)                                                            `c:"cuFileHandleDeregister"`
	BufRegister      func(at cuda.Pointer, bytes uint64, flags int32) int64                          `c:"cuFileBufRegister"`
	BufDeregister    func(at cuda.Pointer) int64                                                     `c:"cuFileBufDeregister"`
	Read             func(handle uintptr, base cuda.Pointer, bytes uint64, file, memory int64) int64 `c:"cuFileRead"`
}

// descriptor is a CUfileDescr_t: the file to make a handle of.
type descriptor struct {
	kind int32 // opaqueFD
	_    int32
	fd   int32 // in a union with a pointer
	_    int32
	_    uintptr // functions of a user-space file system
}

// Parameters and kinds of cufile.h.
const (
	allowCompatMode = 1
	opaqueFD        = 1 // a file descriptor of Linux
)

// Driver is the initialised library.
type Driver struct {
	library *sharedlib.Library
	api     api
	// Compat is whether it may read through host memory.
	Compat bool
}

// Open initialises the library, at path or, if path is "", where it usually is.
// With compat it may read through host memory; without, a read that can't go
// straight from the storage to the GPU is an error.
func Open(path string, compat bool) (*Driver, error) {
	// By default it writes its log to the working directory.
	const logPath = "CUFILE_LOGFILE_PATH"
	if os.Getenv(logPath) == "" {
		if err := os.Setenv(logPath, filepath.Join(os.TempDir(), "cufile.log")); err != nil {
			return nil, err
		}
	}
	library, err := sharedlib.OpenToolkit(path, "libcufile.so.0", "libcufile.so")
	if err != nil {
		return nil, fmt.Errorf("no GPUDirect Storage (libcufile comes with the CUDA toolkit, and as nvidia-cufile with PyTorch): %w", err)
	}
	d := &Driver{library: library, Compat: compat}
	library.Bind(&d.api)
	if err := d.check("cuFileSetParameterBool", d.api.SetParameterBool(allowCompatMode, compat)); err != nil {
		return nil, err
	}
	if err := d.check("cuFileDriverOpen", d.api.DriverOpen()); err != nil {
		return nil, err
	}
	return d, nil
}

// Close shuts the library down.
func (d *Driver) Close() error {
	return d.check("cuFileDriverClose", d.api.DriverClose())
}

// Error is a failed call.
type Error struct {
	Call string
	Code int32 // CUfileOpError, or -1
	CUDA int32 // CUresult, if Code is that CUDA failed
	Text string
}

func (e *Error) Error() string { return e.Call + ": " + e.Text }

// texts describe the codes of cufile.h that users meet.
var texts = map[int32]string{
	5001: "the nvidia-fs driver is not loaded, so the storage can't reach the GPU",
	5007: "GPUDirect Storage is not supported on this platform",
	5008: "GPUDirect Storage is not supported on this file",
	5009: "GPUDirect Storage is not supported on this GPU",
	5011: "the CUDA driver failed",
	5016: "more memory than the GPU exposes to other devices (its BAR1)",
	5018: "a file of this type is not supported",
	5020: "the file was not opened with O_DIRECT",
	5025: "permission denied",
	5027: "the library refused the file; its log has the reason, for instance that udev does not know the storage device",
	5030: "internal error",
	5033: "the nvidia-fs driver could not be set up",
	5034: "GPUDirect Storage is switched off for this file by cufile.json",
	5036: "the GPU's memory can't be pinned",
}

func (d *Driver) check(call string, result int64) error {
	code, cudaCode := int32(result), int32(result>>32)
	if code == 0 {
		return nil
	}
	e := &Error{Call: call, Code: code, CUDA: cudaCode, Text: texts[code]}
	switch {
	case code == sharedlib.Missing:
		e.Text = d.library.Name() + " does not have it: use a newer version"
	case e.Text == "":
		e.Text = fmt.Sprintf("cuFile error %d", code)
	}
	if code == 5011 {
		e.Text += fmt.Sprintf(" with %d", cudaCode)
	}
	return e
}

// File is an open file that can be read into a GPU's memory.
type File struct {
	driver *Driver
	handle uintptr
}

// Register makes an open file readable. The caller closes the file itself, after
// Close.
func (d *Driver) Register(fd int) (*File, error) {
	f := &File{driver: d}
	if err := d.check("cuFileHandleRegister", d.api.HandleRegister(&f.handle, &descriptor{kind: opaqueFD, fd: int32(fd)})); err != nil {
		return nil, err
	}
	return f, nil
}

// Close releases the file; the descriptor stays open.
func (f *File) Close() { f.driver.api.HandleDeregister(f.handle) }

// ErrShort is the error of a read at the end of a file.
var ErrShort = errors.New("end of file")

// ReadAt reads up to bytes from offset of the file to the GPU's memory at at, in
// the memory's context, and returns how many it read.
func (f *File) ReadAt(c *cuda.Context, at cuda.Pointer, bytes, offset int64) (int64, error) {
	var n int64
	err := c.Do(func() error {
		n = f.driver.api.Read(f.handle, at, uint64(bytes), offset, 0)
		switch {
		case n == 0:
			return ErrShort
		case n == -1:
			return &Error{Call: "cuFileRead", Code: -1, Text: "the system failed to read"}
		case n < 0:
			return f.driver.check("cuFileRead", -n)
		}
		return nil
	})
	return max(0, n), err
}

// Pin registers memory of the GPU, so that the storage writes to it without an
// intermediate buffer. Unpin undoes it.
func (d *Driver) Pin(c *cuda.Context, at cuda.Pointer, bytes int64) error {
	return c.Do(func() error { return d.check("cuFileBufRegister", d.api.BufRegister(at, uint64(bytes), 0)) })
}

// Unpin undoes Pin.
func (d *Driver) Unpin(c *cuda.Context, at cuda.Pointer) error {
	return c.Do(func() error { return d.check("cuFileBufDeregister", d.api.BufDeregister(at)) })
}
