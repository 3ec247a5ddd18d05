package machine

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// UsageOf is what another process has used so far, as far as the kernel tells
// of it: CPU time to hundredths of a second, faults, and what it fetched from
// block devices.
func UsageOf(pid int) (Usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("read the usage of process %d: %w", pid, err)
	}
	// A program's name may hold anything, and stands in parentheses before the
	// numbers that are wanted (proc_pid_stat(5)).
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const minor, major, user, system = 7, 9, 11, 12
	if len(fields) <= system {
		return Usage{}, fmt.Errorf("read the usage of process %d: /proc tells %d fields", pid, len(fields))
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(string(fields[i]), 10, 64) // the kernel writes numbers
		return n
	}
	return Usage{
		CPUUser:          time.Duration(number(user)) * tick,
		CPUSystem:        time.Duration(number(system)) * tick,
		MajorFaults:      number(major),
		MinorFaults:      number(minor),
		StorageReadBytes: StorageReadBytes(pid),
	}, nil
}

// Add is what two processes have used together. The peak stays the first's.
func (u Usage) Add(other Usage) Usage {
	u.CPUUser += other.CPUUser
	u.CPUSystem += other.CPUSystem
	u.MajorFaults += other.MajorFaults
	u.MinorFaults += other.MinorFaults
	u.VoluntarySwitches += other.VoluntarySwitches
	u.InvoluntarySwitches += other.InvoluntarySwitches
	if u.StorageReadBytes != nil && other.StorageReadBytes != nil {
		u.StorageReadBytes = new(*u.StorageReadBytes + *other.StorageReadBytes)
	} else {
		u.StorageReadBytes = nil
	}
	return u
}
