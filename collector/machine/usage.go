package machine

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a process has used since it started, or, after Sub, between two
// moments. PeakRSSBytes is the highest so far in both cases.
type Usage struct {
	CPUUser, CPUSystem                     time.Duration
	MajorFaults, MinorFaults               int64
	VoluntarySwitches, InvoluntarySwitches int64
	PeakRSSBytes                           int64
	// StorageReadBytes is what the process made the kernel fetch from block
	// devices (read_bytes of /proc/self/io); nil if the kernel does not report it.
	StorageReadBytes *int64
	Delays           Delays
}

// ReadUsage reads the usage of this process.
func ReadUsage() (Usage, error) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return Usage{}, fmt.Errorf("read resource usage: %w", err)
	}
	delays, err := ReadDelays(os.Getpid())
	if err != nil {
		delays = Delays{} // not root, or a kernel without taskstats
	}
	return Usage{
		CPUUser:             time.Duration(r.Utime.Nano()),
		CPUSystem:           time.Duration(r.Stime.Nano()),
		MajorFaults:         r.Majflt,
		MinorFaults:         r.Minflt,
		VoluntarySwitches:   r.Nvcsw,
		InvoluntarySwitches: r.Nivcsw,
		PeakRSSBytes:        r.Maxrss << 10, // the kernel counts KiB
		StorageReadBytes:    StorageReadBytes(os.Getpid()),
		Delays:              delays,
	}, nil
}

// UsageOf reads the usage of another process as far as /proc reports it: CPU
// time in hundredths of a second, faults, and bytes fetched from block devices.
func UsageOf(pid int) (Usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("read the usage of process %d: %w", pid, err)
	}
	// The program's name, in parentheses before the numbers, may contain anything
	// (proc_pid_stat(5)).
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const minor, major, user, system = 7, 9, 11, 12
	if len(fields) <= system {
		return Usage{}, fmt.Errorf("read the usage of process %d: /proc has only %d fields", pid, len(fields))
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

// Sub returns the usage since an earlier moment.
func (u Usage) Sub(earlier Usage) Usage {
	return Usage{
		CPUUser:             u.CPUUser - earlier.CPUUser,
		CPUSystem:           u.CPUSystem - earlier.CPUSystem,
		MajorFaults:         u.MajorFaults - earlier.MajorFaults,
		MinorFaults:         u.MinorFaults - earlier.MinorFaults,
		VoluntarySwitches:   u.VoluntarySwitches - earlier.VoluntarySwitches,
		InvoluntarySwitches: u.InvoluntarySwitches - earlier.InvoluntarySwitches,
		PeakRSSBytes:        u.PeakRSSBytes,
		StorageReadBytes:    less(u.StorageReadBytes, earlier.StorageReadBytes),
		Delays:              u.Delays.sub(earlier.Delays),
	}
}

// Add returns what two processes have used together. The peak stays the first's.
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

// StorageReadBytes returns what process pid, ended threads included, has made
// the kernel fetch from block devices; nil if the kernel does not report it.
func StorageReadBytes(pid int) *int64 {
	// Kernels without task I/O accounting and some sandboxes lack the file.
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("read_bytes: ")); ok {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			if err != nil {
				return nil
			}
			return &n
		}
	}
	return nil
}
