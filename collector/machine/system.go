package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// System is what the whole machine has done since it booted, or, after Sub,
// between two moments: what tells whether others were at work beside a load.
// What the kernel won't tell is nil.
type System struct {
	// Pressure is how long some task waited for the resource
	// (Documentation/accounting/psi.rst of the kernel, "some").
	CPUPressure, MemoryPressure, IOPressure *time.Duration
	// Busy is CPU time of all processes and of the kernel's own threads; Steal
	// is what the hypervisor kept for others.
	Busy, Steal *time.Duration
	// KernelThreads is CPU time of the kernel's own threads that still live.
	KernelThreads *time.Duration
	// Throttled is how long quotas kept the control group off the CPUs.
	Throttled *time.Duration
	// Of the block device under the files.
	DeviceReadBytes, DeviceReads *int64
	DeviceBusy                   *time.Duration // had a request in flight
}

// ReadSystem asks the kernel. device is BlockDevice's, or empty.
func ReadSystem(device string) System {
	s := System{
		CPUPressure:    pressure("cpu"),
		MemoryPressure: pressure("memory"),
		IOPressure:     pressure("io"),
		Throttled:      theControlGroups.throttled(),
		KernelThreads:  kernelThreadsCPU(),
	}
	s.Busy, s.Steal = cpuTimes()
	if device != "" {
		s.DeviceReads, s.DeviceReadBytes, s.DeviceBusy = blockStat(device)
	}
	return s
}

// Sub is what happened since an earlier moment.
func (s System) Sub(earlier System) System {
	kernel := less(s.KernelThreads, earlier.KernelThreads)
	if kernel != nil && *kernel < 0 {
		kernel = nil // a thread ended, and its time is no longer told
	}
	return System{
		CPUPressure: less(s.CPUPressure, earlier.CPUPressure), MemoryPressure: less(s.MemoryPressure, earlier.MemoryPressure),
		IOPressure: less(s.IOPressure, earlier.IOPressure), Busy: less(s.Busy, earlier.Busy), Steal: less(s.Steal, earlier.Steal),
		Throttled: less(s.Throttled, earlier.Throttled), DeviceReadBytes: less(s.DeviceReadBytes, earlier.DeviceReadBytes),
		DeviceReads: less(s.DeviceReads, earlier.DeviceReads), DeviceBusy: less(s.DeviceBusy, earlier.DeviceBusy),
		KernelThreads: kernel,
	}
}

func less[T int64 | time.Duration](now, then *T) *T {
	if now == nil || then == nil {
		return nil
	}
	return new(*now - *then)
}

// pressure reads the total of a line such as
// "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345", in microseconds.
func pressure(resource string) *time.Duration {
	line, _, _ := strings.Cut(readLine("/proc/pressure/"+resource), "\n") // the next one is "full"
	_, total, ok := strings.Cut(line, "total=")
	n, err := strconv.ParseInt(total, 10, 64)
	if !strings.HasPrefix(line, "some ") || !ok || err != nil {
		return nil
	}
	return new(time.Duration(n) * time.Microsecond)
}

// tick is what /proc counts CPU time in on every architecture that Go knows: the
// kernel's USER_HZ, whatever its own rate.
const tick = time.Second / 100

// cpuTimes reads the first line of /proc/stat (proc_stat(5)): user, nice,
// system, idle, iowait, irq, softirq, steal.
func cpuTimes() (busy, steal *time.Duration) {
	fields := strings.Fields(readLine("/proc/stat"))
	if len(fields) < 9 || fields[0] != "cpu" {
		return nil, nil
	}
	var ticks [8]int64
	for i := range ticks {
		n, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return nil, nil
		}
		ticks[i] = n
	}
	return new(time.Duration(ticks[0]+ticks[1]+ticks[2]+ticks[5]+ticks[6]) * tick), new(time.Duration(ticks[7]) * tick)
}

// BlockDevice names the block device that holds a file, by its folder
// under /sys/devices; it is empty for a filesystem that has none of its own, such
// as tmpfs, overlay or a network's.
func BlockDevice(path string) string {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return ""
	}
	dir := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev))
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(real, "stat")); err != nil {
		return ""
	}
	return real
}

// blockStat reads a device's counters (Documentation/block/stat.rst of the
// kernel): reads, sectors of 512 bytes read, and milliseconds with a request
// in flight.
func blockStat(dir string) (reads, bytes *int64, busy *time.Duration) {
	fields := strings.Fields(readLine(filepath.Join(dir, "stat")))
	if len(fields) < 11 {
		return nil, nil, nil
	}
	var n [11]int64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return nil, nil, nil
		}
	}
	return &n[0], new(n[2] * 512), new(time.Duration(n[9]) * time.Millisecond)
}
