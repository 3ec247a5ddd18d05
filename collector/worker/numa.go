package worker

import (
	"os/exec"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/machine"
)

// startOn starts cmd as a process that runs on a NUMA node's CPUs and takes its
// memory from there as long as there is some, its part of the page cache too, as
// `numactl --cpunodebind --preferred` would have it. Where that is refused, as in
// some containers, the process runs anywhere: what is in force is for it to say.
func startOn(cmd *exec.Cmd, node int) error {
	started := make(chan error)
	go func() {
		// A process has what its parent's thread has. This one is not unlocked,
		// and so ends with the goroutine.
		runtime.LockOSThread()
		placeThread(node)
		started <- cmd.Start()
	}()
	return <-started
}

// nodeMask has a bit for each node that a kernel may have (MAX_NUMNODES).
type nodeMask [1024 / 64]uint64

const nodeMaskBits = uintptr(1024)

// placeThread ties the calling thread to a node.
func placeThread(node int) {
	var mask nodeMask
	if node < 0 || uintptr(node) >= nodeMaskBits {
		return
	}
	mask[node/64] |= 1 << (node % 64)
	// The kernel takes one bit less than it is told (set_mempolicy(2)).
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

// placedOn is the node that this process's memory comes from first, nil for
// any.
func placedOn() *int {
	var mode int32
	var mask nodeMask
	_, _, errno := unix.Syscall6(unix.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&mode)), uintptr(unsafe.Pointer(&mask)), nodeMaskBits+1, 0, 0, 0)
	if errno != 0 || mode != unix.MPOL_PREFERRED {
		return nil
	}
	for i, word := range mask {
		for bit := range 64 {
			if word&(1<<bit) != 0 {
				return new(i*64 + bit)
			}
		}
	}
	return nil
}
