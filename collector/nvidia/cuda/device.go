package cuda

import (
	"bytes"
	"encoding/hex"
)

// Device is a GPU, or a part of one that is a device of its own (MIG).
type Device struct {
	Ordinal int
	driver  *Driver
	handle  int32
}

// UUID identifies a device across machines.
type UUID [16]byte

// String returns 32 lower-case hex digits with dashes, as ServerlessLLM's store
// does; NVML adds the prefix GPU-.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Name returns the product's name.
func (d *Device) Name() (string, error) {
	name := make([]byte, 256)
	err := d.driver.check("cuDeviceGetName", d.driver.api.DeviceGetName(&name[0], int32(len(name)), d.handle))
	return upToZero(name), err
}

// UUID returns the device's UUID.
func (d *Device) UUID() (UUID, error) {
	var u UUID
	err := d.driver.check("cuDeviceGetUuid", d.driver.api.DeviceGetUUID((*[16]byte)(&u), d.handle))
	return u, err
}

// TotalBytes returns how much memory the device has.
func (d *Device) TotalBytes() (int64, error) {
	var n uint64
	err := d.driver.check("cuDeviceTotalMem", d.driver.api.DeviceTotalMem(&n, d.handle))
	return int64(n), err
}

// Processors returns the number of multiprocessors.
func (d *Device) Processors() (int, error) { return d.attribute(attributeProcessors) }

// Compute returns the compute capability: 9, 0 for Hopper.
func (d *Device) Compute() (major, minor int, err error) {
	if major, err = d.attribute(attributeComputeMajor); err != nil {
		return 0, 0, err
	}
	minor, err = d.attribute(attributeComputeMinor)
	return major, minor, err
}

func (d *Device) attribute(which int32) (int, error) {
	var v int32
	err := d.driver.check("cuDeviceGetAttribute", d.driver.api.DeviceAttribute(&v, which, d.handle))
	return int(v), err
}

func upToZero(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
