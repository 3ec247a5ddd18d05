// Package nvml observes NVIDIA GPUs through NVIDIA's management library and its
// Go binding, go-nvml: which GPUs there are, and their memory, clocks, power,
// throttling and processes. It makes no context on a GPU and uses none of its
// memory.
//
// Open loads the library at run time; the program builds and runs without it.
// Whatever an older driver or a smaller GPU does not report is nil, never
// guessed. All functions and methods may be called concurrently.
//
// Source: nvml.h, and "NVML API Reference" of NVIDIA's documentation.
package nvml

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/sllmq/sllmq/collector/nvidia/nvml/symbols"
	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
)

// Library is NVML, initialised.
type Library struct {
	api    nvml.Interface
	closed bool
}

// process is the NVML that all Libraries of this process share: the C functions
// that go-nvml calls exist once. Calls hold mu for reading, so that none runs
// before nvmlInit or after nvmlShutdown, which would end the process.
var process struct {
	mu    sync.RWMutex
	api   nvml.Interface
	name  string // that the library was opened by
	users int
}

// libraries are where the library usually is.
var libraries = []string{
	"libnvidia-ml.so.1",
	"/usr/local/nvidia/lib64/libnvidia-ml.so.1",
	"/usr/lib/wsl/lib/libnvidia-ml.so.1",
}

// Open opens and initialises the library, at path or, if path is "", where it
// usually is. Until it is closed, no other one can be opened.
func Open(path string) (*Library, error) {
	names := libraries
	if path != "" {
		names = []string{path}
	}
	library, err := sharedlib.Open(names...)
	if err != nil {
		return nil, fmt.Errorf("no NVML: %w", err)
	}
	process.mu.Lock()
	defer process.mu.Unlock()
	if process.users > 0 && library.Name() != process.name {
		return nil, fmt.Errorf("open NVML at %s: the one at %s is in use", library.Name(), process.name)
	}
	if process.users == 0 {
		symbols.Bind(library.Handle())
		api := nvml.New(nvml.WithLibraryPath(library.Name()))
		if err := check("nvmlInit", api.Init()); err != nil {
			return nil, err
		}
		process.api, process.name = api, library.Name()
	}
	process.users++
	return &Library{api: process.api}, nil
}

// Close gives the library up; the last one to do so shuts NVML down. Calls on its
// GPUs fail from then on. Closing it again does nothing.
func (l *Library) Close() error {
	process.mu.Lock()
	defer process.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if process.users--; process.users > 0 {
		return nil
	}
	return check("nvmlShutdown", l.api.Shutdown())
}

// Driver returns the driver's version.
func (l *Library) Driver() (string, error) {
	return call(l, "nvmlSystemGetDriverVersion", l.api.SystemGetDriverVersion)
}

// GPUs returns the GPUs that this process may see, in the order of their places
// on the bus.
func (l *Library) GPUs() ([]*GPU, error) {
	n, err := call(l, "nvmlDeviceGetCount", l.api.DeviceGetCount)
	if err != nil {
		return nil, err
	}
	var all []*GPU
	for i := range n {
		device, err := call(l, "nvmlDeviceGetHandleByIndex", func() (nvml.Device, nvml.Return) { return l.api.DeviceGetHandleByIndex(i) })
		if err != nil {
			return nil, fmt.Errorf("GPU %d: %w", i, err)
		}
		all = append(all, &GPU{l, device})
	}
	return all, nil
}

// Find returns the GPU with a UUID, which may lack the prefix GPU-, as CUDA's
// do. Ordinals will not do: CUDA and NVML may count in different orders.
func (l *Library) Find(uuid string) (*GPU, error) {
	candidates := []string{uuid}
	if !strings.Contains(uuid, "GPU-") && !strings.Contains(uuid, "MIG-") {
		candidates = []string{"GPU-" + uuid, "MIG-" + uuid}
	}
	var errs []error
	for _, name := range candidates {
		device, err := call(l, "nvmlDeviceGetHandleByUUID", func() (nvml.Device, nvml.Return) { return l.api.DeviceGetHandleByUUID(name) })
		if err == nil {
			return &GPU{l, device}, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("find GPU %s: %w", uuid, errors.Join(errs...))
}

// call makes one call of NVML, unless the library is closed.
func call[T any](l *Library, name string, f func() (T, nvml.Return)) (T, error) {
	process.mu.RLock()
	defer process.mu.RUnlock()
	if l.closed {
		var zero T
		return zero, fmt.Errorf("%s: NVML is closed", name)
	}
	v, ret := f()
	return v, check(name, ret)
}

// Error is a call that failed.
type Error struct {
	Call string
	Code nvml.Return
	Text string // NVML's description
}

func (e *Error) Error() string { return e.Call + ": " + e.Text }

// check turns a call's result into an error. The caller holds the lock: the text
// comes from the library.
func check(call string, ret nvml.Return) error {
	switch ret {
	case nvml.SUCCESS:
		return nil
	case nvml.ERROR_FUNCTION_NOT_FOUND:
		return &Error{call, ret, "this driver does not have it: update NVIDIA's driver"}
	}
	return &Error{call, ret, ret.Error()}
}
