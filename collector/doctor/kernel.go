package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/health"
)

// rings tries io_uring. No loader of ours needs it, but the tools that storage is
// measured with do.
func rings() health.Finding {
	f := health.Finding{Check: "io_uring", State: health.OK, Saw: "allowed"}
	var parameters [120]byte // struct io_uring_params
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&parameters)), 0)
	if errno == 0 {
		if err := unix.Close(int(fd)); err != nil {
			f.State, f.Saw = health.Warn, err.Error()
		}
		return f
	}
	f.State, f.Saw = health.None, fmt.Sprintf("not allowed (%v): no loader needs it, fio's io_uring does", errno)
	if setting := sysfs("/proc/sys/kernel/io_uring_disabled"); setting != "" && setting != "0" {
		f.Do = "sudo sysctl kernel.io_uring_disabled=0"
	} else {
		f.Do = "a container's seccomp profile refuses it: docker run --security-opt seccomp=unconfined"
	}
	return f
}

// governor looks at how the CPUs' clocks are chosen.
func governor() health.Finding {
	f := health.Finding{Check: "CPU governor", State: health.OK}
	files, err := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
	if err != nil || len(files) == 0 {
		f.Saw = "none to choose, as in most virtual machines"
		return f
	}
	var names []string
	for _, file := range files {
		if name := sysfs(file); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	f.Saw = strings.Join(names, ", ")
	if f.Saw != "performance" {
		f.State, f.Do = health.Warn, "clocks that follow the load make times differ: sudo cpupower frequency-set -g performance"
	}
	return f
}

// nodes looks whether memory is nearer to some CPUs than to others.
func nodes(path string) health.Finding {
	f := health.Finding{Check: "NUMA", State: health.OK}
	found, err := filepath.Glob("/sys/devices/system/node/node[0-9]*")
	if err != nil || len(found) < 2 {
		f.Saw = "one node"
		return f
	}
	f.Saw = fmt.Sprintf("%d nodes", len(found))
	if node := machine.StorageNode(path); node != nil {
		f.Saw += fmt.Sprintf(", the storage at node %d, where workers run", *node)
		return f
	}
	f.State, f.Saw = health.Warn, f.Saw+", and none is known for the storage"
	f.Do = "times depend on where a worker lands: numactl --cpunodebind=0 --membind=0 sllmq collect …"
	return f
}

// neighbours looks for a moment at who else has the CPUs.
func neighbours() health.Finding {
	f := health.Finding{Check: "others at work", State: health.OK}
	const moment = 300 * time.Millisecond
	before, begun := machine.ReadSystem(""), time.Now()
	time.Sleep(moment)
	took := time.Since(begun)
	did := machine.ReadSystem("").Sub(before)
	if did.Busy == nil || did.Steal == nil {
		f.Saw = "the kernel does not say"
		return f
	}
	cpus := float64(max(1, onlineCPUs()))
	busy, stolen := did.Busy.Seconds()/took.Seconds()/cpus, did.Steal.Seconds()/took.Seconds()/cpus
	f.Saw = fmt.Sprintf("CPUs %.0f %% busy, %.0f %% kept by the hypervisor, in %.1f s", 100*busy, 100*stolen, took.Seconds())
	if busy > 0.25 || stolen > 0.05 {
		f.State, f.Do = health.Warn, "measure on a machine that is quiet; --aa tells how much it is not"
	}
	return f
}

func onlineCPUs() int {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 1
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "cpu") && !strings.HasPrefix(line, "cpu ") {
			n++
		}
	}
	return n
}
