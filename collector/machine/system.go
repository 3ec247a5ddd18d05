package machine

import (
	"strconv"
	"strings"
	"time"
)

// System is what the whole machine has done since it booted, or, after Sub,
// between two moments. It shows whether others were at work during a load. What
// the kernel does not report is nil.
type System struct {
	// Pressure is how long some task waited for the resource
	// (Documentation/accounting/psi.rst of the kernel, "some").
	CPUPressure, MemoryPressure, IOPressure *time.Duration
	// Busy is CPU time of all processes and of the kernel's threads; Steal is
	// CPU time that the hypervisor gave to others.
	Busy, Steal *time.Duration
	// KernelThreads is CPU time of the kernel's threads that are still alive.
	KernelThreads *time.Duration
	// Throttled is how long CPU quotas held the control group back.
	Throttled *time.Duration
	// Counters of the block device under the files.
	DeviceReadBytes, DeviceReads *int64
	DeviceBusy                   *time.Duration // with a request in flight
}

// ReadSystem reads the counters of the machine and of a block device, which
// BlockDevice named; "" for none.
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

// Sub returns what happened since an earlier moment.
func (s System) Sub(earlier System) System {
	kernel := less(s.KernelThreads, earlier.KernelThreads)
	if kernel != nil && *kernel < 0 {
		kernel = nil // a thread ended, and its time is no longer counted
	}
	return System{
		CPUPressure: less(s.CPUPressure, earlier.CPUPressure), MemoryPressure: less(s.MemoryPressure, earlier.MemoryPressure),
		IOPressure: less(s.IOPressure, earlier.IOPressure), Busy: less(s.Busy, earlier.Busy), Steal: less(s.Steal, earlier.Steal),
		Throttled: less(s.Throttled, earlier.Throttled), DeviceReadBytes: less(s.DeviceReadBytes, earlier.DeviceReadBytes),
		DeviceReads: less(s.DeviceReads, earlier.DeviceReads), DeviceBusy: less(s.DeviceBusy, earlier.DeviceBusy),
		KernelThreads: kernel,
	}
}

// less is now - then; nil unless both are known.
func less[T int64 | time.Duration](now, then *T) *T {
	if now == nil || then == nil {
		return nil
	}
	return new(*now - *then)
}

// pressure reads the total, in microseconds, of a line such as
// "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345".
func pressure(resource string) *time.Duration {
	line, _, _ := strings.Cut(ReadLine("/proc/pressure/"+resource), "\n") // "full" follows
	_, total, ok := strings.Cut(line, "total=")
	n, err := strconv.ParseInt(total, 10, 64)
	if !strings.HasPrefix(line, "some ") || !ok || err != nil {
		return nil
	}
	return new(time.Duration(n) * time.Microsecond)
}

// cpuTimes reads the first line of /proc/stat (proc_stat(5)): user, nice,
// system, idle, iowait, irq, softirq, steal.
func cpuTimes() (busy, steal *time.Duration) {
	fields := strings.Fields(ReadLine("/proc/stat"))
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
