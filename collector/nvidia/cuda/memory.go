package cuda

import (
	"runtime"
	"unsafe"
)

// Pointer is an address in a device's memory.
type Pointer uint64

// Alloc reserves bytes on the device, at a multiple of 256. The error is
// OutOfMemory if the device does not have them.
func (c *Context) Alloc(bytes int64) (Pointer, error) {
	var p uint64
	err := c.call("cuMemAlloc", func(a *api) int32 { return a.MemAlloc(&p, uint64(bytes)) })
	return Pointer(p), err
}

// Size returns the size of the allocation that contains p.
func (c *Context) Size(p Pointer) (int64, error) {
	var base, bytes uint64
	err := c.call("cuMemGetAddressRange", func(a *api) int32 { return a.MemGetRange(&base, &bytes, uint64(p)) })
	return int64(bytes), err
}

// Free frees memory that Alloc reserved, after all work that uses it.
func (c *Context) Free(p Pointer) error {
	return c.call("cuMemFree", func(a *api) int32 { return a.MemFree(uint64(p)) })
}

// Register page-locks memory of this process, so that all its contexts copy from
// there without a staging buffer. The memory must not be Go's and must be whole
// pages of a mapping. Unregister undoes it.
func (c *Context) Register(b []byte) error {
	return c.call("cuMemHostRegister", func(a *api) int32 {
		return a.MemHostRegister(unsafe.Pointer(unsafe.SliceData(b)), uint64(len(b)), hostPortable)
	})
}

// Unregister undoes Register.
func (c *Context) Unregister(b []byte) error {
	return c.call("cuMemHostUnregister", func(a *api) int32 {
		return a.MemHostUnregister(unsafe.Pointer(unsafe.SliceData(b)))
	})
}

// CopyToDevice copies b to the device and returns when b may be reused. If b is
// pageable, the last bytes may still be on their way to the device; Synchronize
// waits for them.
func (c *Context) CopyToDevice(to Pointer, b []byte) error {
	return c.copying("cuMemcpyHtoD", b, func(a *api, host unsafe.Pointer, n uint64) int32 { return a.CopyHtoD(uint64(to), host, n) })
}

// CopyFromDevice fills b from the device.
func (c *Context) CopyFromDevice(b []byte, from Pointer) error {
	return c.copying("cuMemcpyDtoH", b, func(a *api, host unsafe.Pointer, n uint64) int32 { return a.CopyDtoH(host, uint64(from), n) })
}

// CopyOnDevice copies bytes from one place on the device to another.
func (c *Context) CopyOnDevice(to, from Pointer, bytes int64) error {
	return c.call("cuMemcpyDtoD", func(a *api) int32 { return a.CopyDtoD(uint64(to), uint64(from), uint64(bytes)) })
}

// Fill sets every byte of a range to a value.
func (c *Context) Fill(p Pointer, value byte, bytes int64) error {
	return c.call("cuMemsetD8", func(a *api) int32 { return a.MemsetD8(uint64(p), value, uint64(bytes)) })
}

func (c *Context) copying(name string, b []byte, f func(a *api, host unsafe.Pointer, n uint64) int32) error {
	if len(b) == 0 {
		return nil
	}
	err := c.call(name, func(a *api) int32 { return f(a, unsafe.Pointer(unsafe.SliceData(b)), uint64(len(b))) })
	runtime.KeepAlive(b)
	return err
}
