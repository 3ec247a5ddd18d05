// Package cuda is a typed layer over the parts of NVIDIA's driver API that
// loading needs: devices, primary contexts, memory, copies, streams, events,
// handles between processes, and kernels.
//
// Only Open opens the driver's library, at run time, so that a program that can
// use a GPU builds and runs without one. A failed call returns an *Error with the
// driver's description; so does a function that an older driver lacks.
//
// Source: cuda.h, and "CUDA Driver API" of NVIDIA's documentation.
package cuda

import (
	"errors"
	"fmt"

	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
)

// Driver is NVIDIA's driver, open and initialised.
type Driver struct {
	library *sharedlib.Library
	api     api
}

// libraries are where the driver's library is: where the dynamic linker looks,
// and where containers and WSL put it outside the linker's paths.
var libraries = []string{
	"libcuda.so.1",
	"/usr/local/nvidia/lib64/libcuda.so.1",
	"/usr/lib/wsl/lib/libcuda.so.1",
}

// Open opens the driver's library, at path or, if path is "", where it usually
// is, and initialises the driver, which may take seconds.
func Open(path string) (*Driver, error) {
	names := libraries
	if path != "" {
		names = []string{path}
	}
	library, err := sharedlib.Open(names...)
	if err != nil {
		return nil, fmt.Errorf("no NVIDIA driver, so no cuda device: %w", err)
	}
	d := &Driver{library: library}
	library.Bind(&d.api)
	if err := d.check("cuInit", d.api.Init(0)); err != nil {
		return nil, fmt.Errorf("start the NVIDIA driver: %w", err)
	}
	return d, nil
}

// Version returns the newest CUDA version that the driver supports: 13000 for
// 13.0.
func (d *Driver) Version() (int, error) {
	var v int32
	err := d.check("cuDriverGetVersion", d.api.DriverGetVersion(&v))
	return int(v), err
}

// Devices returns the number of devices.
func (d *Driver) Devices() (int, error) {
	var n int32
	err := d.check("cuDeviceGetCount", d.api.DeviceGetCount(&n))
	if errors.Is(err, NoDevice) {
		return 0, nil
	}
	return int(n), err
}

// Device returns the device with an ordinal, counted from 0.
func (d *Driver) Device(ordinal int) (*Device, error) {
	count, err := d.Devices()
	if err != nil {
		return nil, err
	}
	if ordinal < 0 || ordinal >= count {
		return nil, fmt.Errorf("no device cuda:%d: the NVIDIA driver reports %d", ordinal, count)
	}
	device := &Device{driver: d, Ordinal: ordinal}
	if err := d.check("cuDeviceGet", d.api.DeviceGet(&device.handle, int32(ordinal))); err != nil {
		return nil, err
	}
	return device, nil
}

// Has reports whether the driver has a function.
func (d *Driver) Has(symbol string) bool { return d.library.Has(symbol) }
