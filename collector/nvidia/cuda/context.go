package cuda

import (
	"runtime"
)

// Context is a device's primary context, the one that every library in this
// process shares. Its methods may be called from any goroutine: each makes the
// context current on the thread that it runs on.
type Context struct {
	device *Device
	handle uintptr
}

// Retain makes the device's primary context, or shares the one that is there.
// Release gives it back.
func (d *Device) Retain() (*Context, error) {
	c := &Context{device: d}
	if err := d.driver.check("cuDevicePrimaryCtxRetain", d.driver.api.PrimaryRetain(&c.handle, d.handle)); err != nil {
		return nil, err
	}
	return c, nil
}

// Release gives the context back. With the last one that shares it goes all
// that it holds.
func (c *Context) Release() error {
	d := c.device.driver
	return d.check("cuDevicePrimaryCtxRelease", d.api.PrimaryRelease(c.device.handle))
}

// Device is the context's.
func (c *Context) Device() *Device { return c.device }

// Do calls f on a thread on which the context is current, for calls of other
// libraries that want one.
func (c *Context) Do(f func() error) error {
	d := c.device.driver
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := d.check("cuCtxSetCurrent", d.api.CtxSetCurrent(c.handle)); err != nil {
		return err
	}
	return f()
}

// call is Do for one call of the driver.
func (c *Context) call(name string, f func(a *api) int32) error {
	d := c.device.driver
	return c.Do(func() error { return d.check(name, f(&d.api)) })
}

// Synchronize returns when all that was asked of the context is done.
func (c *Context) Synchronize() error {
	return c.call("cuCtxSynchronize", func(a *api) int32 { return a.CtxSynchronize() })
}

// Memory is how many bytes of the device are free, and how many it has.
func (c *Context) Memory() (free, total int64, err error) {
	var f, t uint64
	err = c.call("cuMemGetInfo", func(a *api) int32 { return a.MemGetInfo(&f, &t) })
	return int64(f), int64(t), err
}

// Has says whether the driver has a function of this name.
func (d *Driver) Has(symbol string) bool { return d.library.Has(symbol) }
