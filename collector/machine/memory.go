package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// AvailableMemory is how many bytes a process could still take without
// swapping: the kernel's estimate, or what the control group leaves where
// that is less.
func AvailableMemory() (int64, error) {
	available, err := memInfo("MemAvailable")
	if err != nil {
		return 0, err
	}
	if left, ok := theControlGroups.memoryLeft(); ok {
		available = min(available, left)
	}
	return available, nil
}

// FreeMemory is how many bytes of memory nobody uses, not even the page cache, as
// far as the control group leaves them.
func FreeMemory() (int64, error) {
	free, err := memInfo("MemFree")
	if err != nil {
		return 0, err
	}
	if left, ok := theControlGroups.memoryLeft(); ok {
		free = min(free, left)
	}
	return free, nil
}

// LockableMemory is how many bytes this process may lock, -1 for no limit.
func LockableMemory() int64 {
	var header = unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_IPC_LOCK) != 0 {
		return -1
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return 0
	}
	if limit.Cur == unix.RLIM_INFINITY {
		return -1
	}
	return int64(limit.Cur)
}

// HugePageBytes is how much of this process's own memory lies in huge pages,
// nil where the kernel does not tell.
func HugePageBytes() *int64 {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "AnonHugePages:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return nil
			}
			return new(kib << 10)
		}
	}
	return nil
}

func memInfo(key string) (int64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read available memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		if name != key {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s of /proc/meminfo: %w", key, err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("/proc/meminfo has no %s", key)
}

// readLine reads a one-line file of /proc or /sys, "" where there is none.
func readLine(elem ...string) string {
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
