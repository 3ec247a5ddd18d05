package machine

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what this process has used since it began, or, after Sub, between
// two moments. PeakRSSBytes is the highest so far in both cases.
type Usage struct {
	CPUUser, CPUSystem                     time.Duration
	MajorFaults, MinorFaults               int64
	VoluntarySwitches, InvoluntarySwitches int64
	PeakRSSBytes                           int64
	// StorageReadBytes is what the process made the kernel fetch from block
	// devices (read_bytes of /proc/self/io); nil where the kernel won't tell.
	StorageReadBytes *int64
	Delays           Delays
}

// ReadUsage asks the kernel what this process has used.
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

// Sub is the usage since an earlier moment.
func (u Usage) Sub(earlier Usage) Usage {
	d := Usage{
		CPUUser:             u.CPUUser - earlier.CPUUser,
		CPUSystem:           u.CPUSystem - earlier.CPUSystem,
		MajorFaults:         u.MajorFaults - earlier.MajorFaults,
		MinorFaults:         u.MinorFaults - earlier.MinorFaults,
		VoluntarySwitches:   u.VoluntarySwitches - earlier.VoluntarySwitches,
		InvoluntarySwitches: u.InvoluntarySwitches - earlier.InvoluntarySwitches,
		PeakRSSBytes:        u.PeakRSSBytes,
		Delays:              u.Delays.sub(earlier.Delays),
	}
	if u.StorageReadBytes != nil && earlier.StorageReadBytes != nil {
		d.StorageReadBytes = new(*u.StorageReadBytes - *earlier.StorageReadBytes)
	}
	return d
}

// StorageReadBytes is what the process pid made the kernel fetch from block
// devices so far, threads that ended counted; nil where the kernel won't tell.
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
