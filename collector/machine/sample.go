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
	AvailableBytes *int64 // memory that could be given out
	ResidentBytes  *int64 // of the process
}

// ReadSample looks at the machine and at the process pid. device is
// BlockDevice's, or empty.
func ReadSample(device string, pid int) Sample {
	s := Sample{}
	s.System.Busy, s.System.Steal = cpuTimes()
	if device != "" {
		s.System.DeviceReads, s.System.DeviceReadBytes, s.System.DeviceBusy = blockStat(device)
	}
	if n, err := memInfo("MemAvailable"); err == nil {
		s.AvailableBytes = &n
	}
	// The second number of statm is the resident pages (proc_pid_statm(5)).
	fields := strings.Fields(readLine(filepath.Join("/proc", strconv.Itoa(pid), "statm")))
	if len(fields) > 1 {
		if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			s.ResidentBytes = new(n * int64(os.Getpagesize()))
		}
	}
	return s
}
