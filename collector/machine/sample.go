package machine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Sample is the machine and one process at a moment.
type Sample struct {
	System         System
	AvailableBytes *int64 // memory that could still be allocated
	ResidentBytes  *int64 // of the process
}

// ReadSample reads the counters of the machine, of process pid, and of a block
// device, which BlockDevice named; "" for none. It reads less than ReadSystem, so
// that ten samples a second cost next to nothing.
func ReadSample(device string, pid int) Sample {
	var s Sample
	s.System.Busy, s.System.Steal = cpuTimes()
	if device != "" {
		s.System.DeviceReads, s.System.DeviceReadBytes, s.System.DeviceBusy = blockStat(device)
	}
	if n, err := memInfo("MemAvailable"); err == nil {
		s.AvailableBytes = &n
	}
	// The second field of statm is the number of resident pages (proc_pid_statm(5)).
	fields := strings.Fields(ReadLine(filepath.Join("/proc", strconv.Itoa(pid), "statm")))
	if len(fields) > 1 {
		if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			s.ResidentBytes = new(n * int64(os.Getpagesize()))
		}
	}
	return s
}
