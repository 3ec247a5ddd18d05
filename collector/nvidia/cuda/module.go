package cuda

import (
	"runtime"
	"unsafe"
)

// Module is compiled code on a device.
type Module struct {
	context *Context
	handle  uintptr
}

// LoadModule loads PTX or a cubin, such as NVRTC's.
func (c *Context) LoadModule(image []byte) (*Module, error) {
	m := &Module{context: c}
	terminated := append(image[:len(image):len(image)], 0) // PTX is a C string
	err := c.call("cuModuleLoadData", func(a *api) int32 { return a.ModuleLoadData(&m.handle, &terminated[0]) })
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Close unloads the module.
func (m *Module) Close() error {
	return m.context.call("cuModuleUnload", func(a *api) int32 { return a.ModuleUnload(m.handle) })
}

// Kernel is a function of a module.
type Kernel struct {
	context *Context
	handle  uintptr
}

// Kernel returns a function by its name in the compiled code.
func (m *Module) Kernel(name string) (*Kernel, error) {
	k := &Kernel{context: m.context}
	c := cString(name)
	err := m.context.call("cuModuleGetFunction", func(a *api) int32 { return a.ModuleGetFunction(&k.handle, m.handle, c) })
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Launch is a kernel's shape: its blocks, the threads of each block, and the
// bytes of memory that the threads of a block share.
type Launch struct {
	Grid, Block [3]uint32 // 0 counts as 1
	SharedBytes uint32
}

// Launch puts the kernel into a stream. Each argument points to a value of the
// size of the kernel's parameter; Launch copies the values before it returns.
func (k *Kernel) Launch(s *Stream, l Launch, arguments ...unsafe.Pointer) error {
	for i := range 3 {
		l.Grid[i], l.Block[i] = max(1, l.Grid[i]), max(1, l.Block[i])
	}
	var first *unsafe.Pointer
	if len(arguments) > 0 {
		first = &arguments[0]
	}
	err := k.context.call("cuLaunchKernel", func(a *api) int32 {
		return a.LaunchKernel(k.handle, l.Grid[0], l.Grid[1], l.Grid[2], l.Block[0], l.Block[1], l.Block[2], l.SharedBytes, s.handle, first, nil)
	})
	runtime.KeepAlive(arguments)
	return err
}
