package machine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// kernelThreadsCPU returns the CPU time of the kernel's threads that are alive:
// they reclaim pages, finish I/O and write back for others. It is nil where they
// are invisible, as in a container with its own process IDs.
func kernelThreadsCPU() *time.Duration {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var total *time.Duration
	for _, e := range entries {
		if c := e.Name()[0]; c < '0' || c > '9' {
			continue
		}
		used, ok := kernelThreadCPU(filepath.Join("/proc", e.Name()))
		if !ok {
			continue
		}
		if total == nil {
			total = new(time.Duration)
		}
		*total += used
	}
	return total
}

// kernelThreadCPU returns the CPU time of the thread under dir, a folder of
// /proc; false if it is not a thread of the kernel.
func kernelThreadCPU(dir string) (time.Duration, bool) {
	// The name, in parentheses, may contain anything; the flags are the seventh
	// field after it (proc_pid_stat(5)).
	_, rest, ok := strings.Cut(ReadLine(dir, "stat"), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, false
	}
	const isKernelThread = 0x00200000 // PF_KTHREAD
	if flags, err := strconv.ParseUint(fields[6], 10, 64); err != nil || flags&isKernelThread == 0 {
		return 0, false
	}
	// Nanoseconds if the scheduler counts them, else hundredths of a second.
	if first, _, ok := strings.Cut(ReadLine(dir, "schedstat"), " "); ok {
		if n, err := strconv.ParseInt(first, 10, 64); err == nil {
			return time.Duration(n), true
		}
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, false
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err == nil
}
