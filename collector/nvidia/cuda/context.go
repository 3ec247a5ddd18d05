package cuda

import "runtime"

// Context is a device's primary context, which all libraries in this process
// share. Its methods may be called from any goroutine: each makes the context
// current on the thread it runs on.
type Context struct {
	device *Device
	handle uintptr
}

// Retain creates the device's primary context, or shares the existing one.
// Release returns it.
func (d *Device) Retain() (*Context, error) {
	c := &Context{device: d}
	if err := d.driver.check("cuDevicePrimaryCtxRetain", d.driver.api.PrimaryRetain(&c.handle, d.handle)); err != nil {
		return nil, err
	}
	return c, nil
}

// Release returns the context. Its last user's Release frees all that it holds.
func (c *Context) Release() error {
	d := c.device.driver
	return d.check("cuDevicePrimaryCtxRelease", d.api.PrimaryRelease(c.device.handle))
}

// Device returns the context's device.
func (c *Context) Device() *Device { return c.device }

// Do calls f on a thread on which the context is current, for calls of other
// libraries that need one.
func (c *Context) Do(f func() error) error {
	d := c.device.driver
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := d.check("cuCtxSetCurrent", d.api.CtxSetCurrent(c.handle)); err != nil {
		return err
	}
	return f()
}

// call makes one call of the driver with the context current.
func (c *Context) call(name string, f func(a *api) int32) error {
	d := c.device.driver
	return c.Do(func() error { return d.check(name, f(&d.api)) })
}

// Synchronize waits until the context has finished all its work.
func (c *Context) Synchronize() error {
	return c.call("cuCtxSynchronize", func(a *api) int32 { return a.CtxSynchronize() })
}

// Memory returns how many bytes of the device are free, and how many it has.
func (c *Context) Memory() (free, total int64, err error) {
	var f, t uint64
	err = c.call("cuMemGetInfo", func(a *api) int32 { return a.MemGetInfo(&f, &t) })
	return int64(f), int64(t), err
}
