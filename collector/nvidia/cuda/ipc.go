package cuda

import "encoding/binary"

// IPCHandle lets another process on this machine open an allocation.
type IPCHandle [64]byte

// ipcHandleArgument is an IPCHandle as C passes it by value.
type ipcHandleArgument struct{ words [8]uint64 }

// IPCHandle returns a handle of memory that Alloc reserved.
func (c *Context) IPCHandle(p Pointer) (IPCHandle, error) {
	var h IPCHandle
	err := c.call("cuIpcGetMemHandle", func(a *api) int32 { return a.IPCGetMemHandle(&h, uint64(p)) })
	return h, err
}

// OpenIPC maps memory of another process, given its handle. CloseIPC unmaps it;
// the other process frees it.
func (c *Context) OpenIPC(h IPCHandle) (Pointer, error) {
	var p uint64
	err := c.call("cuIpcOpenMemHandle", func(a *api) int32 { return a.IPCOpenMemHandle(&p, h.argument(), ipcLazyPeerAccess) })
	return Pointer(p), err
}

// CloseIPC unmaps memory that OpenIPC mapped.
func (c *Context) CloseIPC(p Pointer) error {
	return c.call("cuIpcCloseMemHandle", func(a *api) int32 { return a.IPCCloseMemHandle(uint64(p)) })
}

func (h IPCHandle) argument() ipcHandleArgument {
	var a ipcHandleArgument
	for i := range a.words {
		a.words[i] = binary.NativeEndian.Uint64(h[8*i:])
	}
	return a
}
