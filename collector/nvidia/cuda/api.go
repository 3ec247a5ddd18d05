package cuda

import "unsafe"

// api is the part of the driver API that is used (cuda.h of CUDA 12 and 13). The
// names include the versions that the header gives them; sizes are size_t, and
// handles and device addresses have 64 bits.
type api struct {
	Init             func(flags uint32) int32                          `c:"cuInit"`
	DriverGetVersion func(version *int32) int32                        `c:"cuDriverGetVersion"`
	GetErrorName     func(result int32, text **byte) int32             `c:"cuGetErrorName"`
	GetErrorString   func(result int32, text **byte) int32             `c:"cuGetErrorString"`
	DeviceGetCount   func(count *int32) int32                          `c:"cuDeviceGetCount"`
	DeviceGet        func(device *int32, ordinal int32) int32          `c:"cuDeviceGet"`
	DeviceGetName    func(name *byte, size, device int32) int32        `c:"cuDeviceGetName"`
	DeviceGetUUID    func(uuid *[16]byte, device int32) int32          `c:"cuDeviceGetUuid_v2"`
	DeviceTotalMem   func(bytes *uint64, device int32) int32           `c:"cuDeviceTotalMem_v2"`
	DeviceAttribute  func(value *int32, attribute, device int32) int32 `c:"cuDeviceGetAttribute"`

	PrimaryRetain  func(context *uintptr, device int32) int32 `c:"cuDevicePrimaryCtxRetain"`
	PrimaryRelease func(device int32) int32                   `c:"cuDevicePrimaryCtxRelease_v2"`
	CtxSetCurrent  func(context uintptr) int32                `c:"cuCtxSetCurrent"`
	CtxSynchronize func() int32                               `c:"cuCtxSynchronize"`

	MemGetInfo        func(free, total *uint64) int32                                                                                                                                         `c:"cuMemGetInfo_v2"`
	MemAlloc          func(address *uint64, bytes uint64) int32                                                                                                                               `c:"cuMemAlloc_v2"`
	MemGetRange       func(base, bytes *uint64, address uint64) int32                                                                                                                         `c:"cuMemGetAddressRange_v2"`
	MemFree           func(address uint64) int32                                                                                                                                              `c:"cuMemFree_v2"`
	MemHostRegister   func(host unsafe.Pointer, bytes uint64, flags uint32) int32                                                                                                             `c:"cuMemHostRegister_v2"`
	MemHostUnregister func(host unsafe.Pointer) int32                                                                                                                                         `c:"cuMemHostUnregister"`
	CopyHtoD          func(to uint64, from unsafe.Pointer, bytes uint64) int32                                                                                                                `c:"cuMemcpyHtoD_v2"`
	CopyDtoH          func(to unsafe.Pointer, from uint64, bytes uint64) int32                                                                                                                `c:"cuMemcpyDtoH_v2"`
	CopyDtoD          func(to, from uint64, bytes uint64) int32                                                                                                                               `c:"cuMemcpyDtoD_v2"`
	CopyHtoDAsync     func(to uint64, from unsafe.Pointer, bytes uint64, stream uintptr) int32                                                                                                `c:"cuMemcpyHtoDAsync_v2"`
	CopyDtoHAsync     func(to unsafe.Pointer, from uint64, bytes uint64, stream uintptr) int32                                                                                                `c:"cuMemcpyDtoHAsync_v2"`
	MemsetD8          func(address uint64, value byte, bytes uint64) int32                                                                                                                    `c:"cuMemsetD8_v2"`
	IPCGetMemHandle   func(handle *IPCHandle, address uint64) int32                                                                                                                           `c:"cuIpcGetMemHandle"`
	IPCOpenMemHandle  func(address *uint64, handle ipcHandleArgument, flags uint32) int32                                                                                                     `c:"cuIpcOpenMemHandle_v2"`
	IPCCloseMemHandle func(address uint64) int32                                                                                                                                              `c:"cuIpcCloseMemHandle"`
	StreamCreate      func(stream *uintptr, flags uint32) int32                                                                                                                               `c:"cuStreamCreate"`
	StreamDestroy     func(stream uintptr) int32                                                                                                                                              `c:"cuStreamDestroy_v2"`
	StreamSynchronize func(stream uintptr) int32                                                                                                                                              `c:"cuStreamSynchronize"`
	EventCreate       func(event *uintptr, flags uint32) int32                                                                                                                                `c:"cuEventCreate"`
	EventDestroy      func(event uintptr) int32                                                                                                                                               `c:"cuEventDestroy_v2"`
	EventRecord       func(event, stream uintptr) int32                                                                                                                                       `c:"cuEventRecord"`
	EventSynchronize  func(event uintptr) int32                                                                                                                                               `c:"cuEventSynchronize"`
	ModuleLoadData    func(module *uintptr, image *byte) int32                                                                                                                                `c:"cuModuleLoadData"`
	ModuleUnload      func(module uintptr) int32                                                                                                                                              `c:"cuModuleUnload"`
	ModuleGetFunction func(function *uintptr, module uintptr, name *byte) int32                                                                                                               `c:"cuModuleGetFunction"`
	LaunchKernel      func(function uintptr, gridX, gridY, gridZ, blockX, blockY, blockZ uint32, sharedBytes uint32, stream uintptr, parameters *unsafe.Pointer, extra *unsafe.Pointer) int32 `c:"cuLaunchKernel"`

	StreamBeginCapture func(stream uintptr, mode int32) int32                 `c:"cuStreamBeginCapture_v2"`
	StreamEndCapture   func(stream uintptr, graph *uintptr) int32             `c:"cuStreamEndCapture"`
	GraphInstantiate   func(exec *uintptr, graph uintptr, flags uint64) int32 `c:"cuGraphInstantiateWithFlags"`
	GraphDestroy       func(graph uintptr) int32                              `c:"cuGraphDestroy"`
	GraphExecDestroy   func(exec uintptr) int32                               `c:"cuGraphExecDestroy"`
	GraphLaunch        func(exec, stream uintptr) int32                       `c:"cuGraphLaunch"`
}

// Flags and attributes of cuda.h.
const (
	hostPortable      = 1 // CU_MEMHOSTREGISTER_PORTABLE
	streamNonBlocking = 1 // CU_STREAM_NON_BLOCKING
	eventNoTiming     = 2 // CU_EVENT_DISABLE_TIMING
	ipcLazyPeerAccess = 1 // CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS
	captureRelaxed    = 2 // CU_STREAM_CAPTURE_MODE_RELAXED

	attributeProcessors   = 16
	attributeComputeMajor = 75
	attributeComputeMinor = 76
)
