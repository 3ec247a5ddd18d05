package machine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// kernelThreadsCPU is the CPU time of the kernel's own threads that live now:
// reclaiming pages, finishing I/O and writing back are done there for others.
// It is nil where they can't be seen, as in a container with process ids of its
// own.
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

// kernelThreadCPU is false for what is no thread of the kernel.
func kernelThreadCPU(dir string) (time.Duration, bool) {
	// The name, in brackets, may hold anything; state, parent and so on follow
	// (proc_pid_stat(5)), of which the seventh are the flags.
	_, rest, ok := strings.Cut(readLine(dir, "stat"), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, false
	}
	const isKernelThread = 0x00200000 // PF_KTHREAD
	if flags, err := strconv.ParseUint(fields[6], 10, 64); err != nil || flags&isKernelThread == 0 {
		return 0, false
	}
	// In nanoseconds where the scheduler keeps them, else in hundredths of a second.
	if first, _, ok := strings.Cut(readLine(dir, "schedstat"), " "); ok {
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
