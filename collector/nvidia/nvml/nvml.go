// Package nvml asks NVIDIA's management library what GPUs there are and how
// they are: it needs no context on them and takes none of their memory.
//
// The library is opened at run time, by Open and nothing else. Whatever an
// older library or a smaller GPU does not tell is left out, never guessed, and
// no call can be made before Init went well: there is no Library then.
//
// Source: nvml.h, and "NVML API Reference" of NVIDIA's documentation.
package nvml

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
)

// api is what is used of nvml.h; names carry the versions that the header
// gives them.
type api struct {
	Init          func() int32                                                  `c:"nvmlInit_v2"`
	Shutdown      func() int32                                                  `c:"nvmlShutdown"`
	ErrorString   func(result int32) string                                     `c:"nvmlErrorString"`
	DriverVersion func(text *byte, size uint32) int32                           `c:"nvmlSystemGetDriverVersion"`
	Count         func(count *uint32) int32                                     `c:"nvmlDeviceGetCount_v2"`
	HandleByIndex func(index uint32, handle *uintptr) int32                     `c:"nvmlDeviceGetHandleByIndex_v2"`
	HandleByUUID  func(uuid *byte, handle *uintptr) int32                       `c:"nvmlDeviceGetHandleByUUID"`
	Name          func(handle uintptr, text *byte, n uint32) int32              `c:"nvmlDeviceGetName"`
	UUID          func(handle uintptr, text *byte, n uint32) int32              `c:"nvmlDeviceGetUUID"`
	MemoryInfo    func(handle uintptr, memory *memory) int32                    `c:"nvmlDeviceGetMemoryInfo"`
	PCIe          func(handle uintptr, generation *uint32) int32                `c:"nvmlDeviceGetCurrPcieLinkGeneration"`
	PCIeWidth     func(handle uintptr, lanes *uint32) int32                     `c:"nvmlDeviceGetCurrPcieLinkWidth"`
	Clock         func(handle uintptr, kind uint32, mhz *uint32) int32          `c:"nvmlDeviceGetClockInfo"`
	Temperature   func(handle uintptr, sensor uint32, degrees *uint32) int32    `c:"nvmlDeviceGetTemperature"`
	Power         func(handle uintptr, milliwatts *uint32) int32                `c:"nvmlDeviceGetPowerUsage"`
	Utilization   func(handle uintptr, rates *utilization) int32                `c:"nvmlDeviceGetUtilizationRates"`
	Reasons       func(handle uintptr, reasons *uint64) int32                   `c:"nvmlDeviceGetCurrentClocksEventReasons"`
	OldReasons    func(handle uintptr, reasons *uint64) int32                   `c:"nvmlDeviceGetCurrentClocksThrottleReasons"`
	Processes     func(handle uintptr, count *uint32, infos *processInfo) int32 `c:"nvmlDeviceGetComputeRunningProcesses_v3"`
}

// The structs of nvml.h.
type (
	memory      struct{ total, _, used uint64 } // the second is what is free
	utilization struct{ gpu, memory uint32 }    // percent
	processInfo struct {
		pid       uint32
		_         uint32
		usedBytes uint64
		_, _      uint32 // instances, of a GPU in parts
	}
)

// Codes and selectors of nvml.h.
const (
	insufficientSize = 7
	clockSM          = 1
	clockMemory      = 2
)

// Library is NVML, initialised.
type Library struct {
	library *sharedlib.Library
	api     api
	mu      sync.RWMutex // holds Close back while a call is under way
	closed  bool
}

var libraries = []string{
	"libnvidia-ml.so.1",
	"/usr/local/nvidia/lib64/libnvidia-ml.so.1",
	"/usr/lib/wsl/lib/libnvidia-ml.so.1",
}

// Open opens the library, at path or where it usually is, and initialises it.
func Open(path string) (*Library, error) {
	names := libraries
	if path != "" {
		names = []string{path}
	}
	library, err := sharedlib.Open(names...)
	if err != nil {
		return nil, fmt.Errorf("no NVML here: %w", err)
	}
	l := &Library{library: library}
	library.Bind(&l.api)
	if code := l.api.Init(); code != 0 {
		return nil, l.failure("nvmlInit", code)
	}
	return l, nil
}

// Close ends NVML in this process; calls of its GPUs fail from then on.
func (l *Library) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if code := l.api.Shutdown(); code != 0 {
		return l.failure("nvmlShutdown", code)
	}
	return nil
}

// errClosed is what calls give after Close.
var errClosed = errors.New("NVML was closed")

// call makes one call, if there is still something to call.
func (l *Library) call(name string, f func(a *api) int32) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return fmt.Errorf("%s: %w", name, errClosed)
	}
	if code := f(&l.api); code != 0 {
		return l.failure(name, code)
	}
	return nil
}

// Error is a call that failed, in NVML's own words.
type Error struct {
	Call string
	Code int32
	Text string
}

func (e *Error) Error() string { return e.Call + ": " + e.Text }

func (l *Library) failure(call string, code int32) error {
	if code == sharedlib.Missing {
		return &Error{call, code, l.library.Name() + " does not have it: update NVIDIA's driver"}
	}
	text := l.api.ErrorString(code)
	if text == "" {
		text = fmt.Sprintf("NVML error %d", code)
	}
	return &Error{call, code, text}
}

// Driver is the version of the driver.
func (l *Library) Driver() (string, error) {
	return l.text("nvmlSystemGetDriverVersion", func(a *api, b *byte, n uint32) int32 { return a.DriverVersion(b, n) })
}

// text makes a call that fills in a text.
func (l *Library) text(name string, f func(a *api, b *byte, n uint32) int32) (string, error) {
	b := make([]byte, 256)
	err := l.call(name, func(a *api) int32 { return f(a, &b[0], uint32(len(b))) })
	if err != nil {
		return "", err
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b), nil
}
