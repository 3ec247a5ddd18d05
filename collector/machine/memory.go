package machine

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// AvailableMemory returns how many bytes a process could still allocate without
// swapping: the kernel's estimate, or what the control group leaves if that is
// less.
func AvailableMemory() (int64, error) { return withinGroup("MemAvailable") }

// FreeMemory returns how many bytes of memory nobody uses, not even the page
// cache, or what the control group leaves if that is less.
func FreeMemory() (int64, error) { return withinGroup("MemFree") }

func withinGroup(key string) (int64, error) {
	n, err := memInfo(key)
	if err != nil {
		return 0, err
	}
	if left, ok := theControlGroups.memoryLeft(); ok {
		n = min(n, left)
	}
	return n, nil
}

// DirtyMemory returns how many bytes of the page cache are not yet on storage,
// waiting or being written; nil if the kernel does not report it.
func DirtyMemory() *int64 {
	waiting, err := memInfo("Dirty")
	if err != nil {
		return nil
	}
	written, err := memInfo("Writeback")
	if err != nil {
		return nil
	}
	return new(waiting + written)
}

// LockableMemory returns how many bytes this process may lock, -1 for no limit.
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

// HugePageBytes returns how much of this process's anonymous memory is in huge
// pages; nil if the kernel does not report it.
func HugePageBytes() *int64 {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "AnonHugePages:"); ok {
			n, err := kibibytes(rest)
			if err != nil {
				return nil
			}
			return &n
		}
	}
	return nil
}
