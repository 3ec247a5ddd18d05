package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/machine"
)

// ioUring sets up an io_uring. No loader of ours needs one, but the tools that
// storage is measured with do.
func ioUring() Finding {
	f := Finding{Check: "io_uring", State: OK, Saw: "allowed"}
	var parameters [120]byte // struct io_uring_params
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&parameters)), 0)
	if errno == 0 {
		if err := unix.Close(int(fd)); err != nil {
			f.State, f.Saw = Warn, err.Error()
		}
		return f
	}
	f.State, f.Saw = None, fmt.Sprintf("not allowed (%v): no loader needs it, but fio's io_uring does", errno)
	if setting := machine.ReadLine("/proc/sys/kernel/io_uring_disabled"); setting != "" && setting != "0" {
		f.Do = "sudo sysctl kernel.io_uring_disabled=0"
	} else {
		f.Do = "the container's seccomp profile refuses it: docker run --security-opt seccomp=unconfined"
	}
	return f
}

// governor checks how the CPUs' clocks are set.
func governor() Finding {
	f := Finding{Check: "CPU governor", State: OK}
	files, err := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
	if err != nil || len(files) == 0 {
		f.Saw = "none, as in most virtual machines"
		return f
	}
	var names []string
	for _, file := range files {
		if name := machine.ReadLine(file); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	f.Saw = strings.Join(names, ", ")
	if f.Saw != "performance" {
		f.State, f.Do = Warn, "clocks that follow the load make times vary: sudo cpupower frequency-set -g performance"
	}
	return f
}

// numa checks whether workers can run near the storage.
func numa(path string) Finding {
	f := Finding{Check: "NUMA", State: OK}
	found, err := filepath.Glob("/sys/devices/system/node/node[0-9]*")
	if err != nil || len(found) < 2 {
		f.Saw = "one node"
		return f
	}
	f.Saw = fmt.Sprintf("%d nodes", len(found))
	if node := machine.StorageNode(path); node != nil {
		f.Saw += fmt.Sprintf("; workers run on node %d, next to the storage", *node)
		return f
	}
	f.State, f.Saw = Warn, f.Saw+"; the storage reports none"
	f.Do = "times depend on the node that a worker runs on: numactl --cpunodebind=0 --membind=0 sllmq collect …"
	return f
}

// load checks for a moment whether others use the CPUs.
func load(ctx context.Context) Finding {
	f := Finding{Check: "others at work", State: OK}
	before, begun := machine.ReadSystem(""), time.Now()
	if err := sleep(ctx, 300*time.Millisecond); err != nil {
		f.State, f.Saw = Warn, err.Error()
		return f
	}
	took := time.Since(begun)
	did := machine.ReadSystem("").Sub(before)
	if did.Busy == nil || did.Steal == nil {
		f.Saw = "not reported by this kernel"
		return f
	}
	cpuTime := took.Seconds() * float64(machine.OnlineCPUs())
	busy, stolen := did.Busy.Seconds()/cpuTime, did.Steal.Seconds()/cpuTime
	f.Saw = fmt.Sprintf("CPUs %.0f %% busy and %.0f %% stolen by the hypervisor, in %.1f s", 100*busy, 100*stolen, took.Seconds())
	if busy > 0.25 || stolen > 0.05 {
		f.State, f.Do = Warn, "measure on a quiet machine; collect --aa estimates the noise"
	}
	return f
}
