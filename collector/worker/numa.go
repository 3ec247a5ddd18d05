package worker

import (
	"os/exec"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/machine"
)

// startOn starts cmd on a NUMA node's CPUs with memory preferably from that node,
// page cache included, as `numactl --cpunodebind --preferred` does. Where that is
// refused, as in some containers, the process runs anywhere; it reports what is
// in force.
func startOn(cmd *exec.Cmd, node int) error {
	started := make(chan error)
	go func() {
		// A process inherits from its parent's thread. This thread is not unlocked,
		// so it ends with the goroutine.
		runtime.LockOSThread()
		placeThread(node)
		started <- cmd.Start()
	}()
	return <-started
}

// nodeMask has a bit for each node that a kernel can have (MAX_NUMNODES).
type nodeMask [1024 / 64]uint64

const nodeMaskBits = uintptr(1024)

// placeThread binds the calling thread to a node. An unknown node changes
// nothing.
func placeThread(node int) {
	var mask nodeMask
	if node < 0 || uintptr(node) >= nodeMaskBits {
		return
	}
	mask[node/64] |= 1 << (node % 64)
	// The kernel reads one bit fewer than it is told (set_mempolicy(2)).
	_, _, _ = unix.Syscall(unix.SYS_SET_MEMPOLICY, unix.MPOL_PREFERRED, uintptr(unsafe.Pointer(&mask)), nodeMaskBits+1)
	var may, here unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return
	}
	for _, cpu := range machine.NodeCPUs(node) {
		if may.IsSet(cpu) {
			here.Set(cpu)
		}
	}
	if here.Count() > 0 {
		_ = unix.SchedSetaffinity(0, &here)
	}
}

// placedOn returns the node that this process prefers to allocate from, nil for
// any.
func placedOn() *int64 {
	var mode int32
	var mask nodeMask
	_, _, errno := unix.Syscall6(unix.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&mode)), uintptr(unsafe.Pointer(&mask)), nodeMaskBits+1, 0, 0, 0)
	if errno != 0 || mode != unix.MPOL_PREFERRED {
		return nil
	}
	for i, word := range mask {
		for bit := range 64 {
			if word&(1<<bit) != 0 {
				return new(int64(i*64 + bit))
			}
		}
	}
	return nil
}
