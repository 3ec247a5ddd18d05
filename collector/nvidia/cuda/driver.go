// Package cuda is a typed layer over the parts of NVIDIA's driver API that
// loading needs: devices, primary contexts, memory, copies, streams, events,
// handles between processes, and kernels.
//
// The driver's library is opened at run time, by Open and nothing else, so
// that a program that may use a GPU builds and runs where there is none. A
// call that fails is an *Error in the driver's own words, and so is a function
// that an older driver lacks.
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

// libraries are where the driver's library is: where the linker looks, and
// where containers and WSL put it without telling the linker.
var libraries = []string{
	"libcuda.so.1",
	"/usr/local/nvidia/lib64/libcuda.so.1",
	"/usr/lib/wsl/lib/libcuda.so.1",
}

// Open opens the driver's library, at path or where it usually is, and starts
// the driver.
func Open(path string) (*Driver, error) {
	names := libraries
	if path != "" {
		names = []string{path}
	}
	library, err := sharedlib.Open(names...)
	if err != nil {
		return nil, fmt.Errorf("no NVIDIA driver here, so there is no cuda device: %w", err)
	}
	d := &Driver{library: library}
	library.Bind(&d.api)
	if err := d.check("cuInit", d.api.Init(0)); err != nil {
		return nil, fmt.Errorf("start the NVIDIA driver: %w", err)
	}
	return d, nil
}

// Version is the newest CUDA that the driver knows, 13.0 as 13000.
func (d *Driver) Version() (int, error) {
	var v int32
	err := d.check("cuDriverGetVersion", d.api.DriverGetVersion(&v))
	return int(v), err
}

// Devices is how many devices there are.
func (d *Driver) Devices() (int, error) {
	var n int32
	err := d.check("cuDeviceGetCount", d.api.DeviceGetCount(&n))
	if errors.Is(err, NoDevice) {
		return 0, nil
	}
	return int(n), err
}

// Device finds the device with an ordinal, counted from 0.
func (d *Driver) Device(ordinal int) (*Device, error) {
	count, err := d.Devices()
	if err != nil {
		return nil, err
	}
	if ordinal < 0 || ordinal >= count {
		return nil, fmt.Errorf("no device cuda:%d: the NVIDIA driver knows %d", ordinal, count)
	}
	device := &Device{driver: d, Ordinal: ordinal}
	if err := d.check("cuDeviceGet", d.api.DeviceGet(&device.handle, int32(ordinal))); err != nil {
		return nil, err
	}
	return device, nil
}
