package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/queries"
)

// unknown stands for what is not known.
const unknown = "–"

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// seconds has three decimals, or three significant digits below 0.1.
func seconds(v *float64) string {
	switch {
	case v == nil:
		return unknown
	case *v > 1e-9 && *v < 0.1:
		return strconv.FormatFloat(*v, 'f', 2-int(math.Floor(math.Log10(*v))), 64)
	}
	return strconv.FormatFloat(*v, 'f', 3, 64)
}

// decimals is v in a unit with n decimals.
func decimals(v *float64, n int, unit float64) string {
	if v == nil {
		return unknown
	}
	return strconv.FormatFloat(*v/unit, 'f', n, 64)
}

// fact is a name with its value.
type fact struct{ Name, Value string }

// facts are what is known about a machine, in readable units.
func facts(m queries.Machine) []fact {
	var list []fact
	add := func(name string, parts ...string) {
		var known []string
		for _, p := range parts {
			if p != "" {
				known = append(known, p)
			}
		}
		if len(known) > 0 {
			list = append(list, fact{name, strings.Join(known, ", ")})
		}
	}
	add("System", text(m.OS), text(m.Kernel), text(m.Arch), with("in ", m.Hypervisor))
	add("CPU", text(m.CPUModel), count(m.CPUs, "CPU", "CPUs"), count(m.CPUSockets, "socket", "sockets"), count(m.NUMANodes, "NUMA node", "NUMA nodes"), with("governor ", m.CPUGovernor))
	reporting := ""
	if m.FreePageReporting != nil && *m.FreePageReporting {
		reporting = "free pages go back to the host"
	}
	add("Memory", bytesText(m.MemoryBytes, size.Binary), with("huge pages ", m.HugePages), reporting)
	if m.GPUModel != nil {
		add("GPU", count(m.GPUs, "GPU", "GPUs"), text(m.GPUModel), bytesText(m.GPUMemoryBytes, size.Binary), with("driver ", m.GPUDriver))
	}
	rotating := ""
	if m.StorageRotational != nil && *m.StorageRotational {
		rotating = "rotating"
	}
	add("Storage", with("device ", m.StorageDevice), text(m.StorageModel), rotating, bytesText(m.StorageBytes, size.Decimal), with("scheduler ", m.StorageScheduler), prefixed("requests up to ", bytesText(m.StorageMaxIOBytes, size.Binary)), prefixed("read-ahead ", bytesText(m.StorageReadAheadBytes, size.Binary)))
	add("Filesystem", text(m.Filesystem), with("at ", m.MountPoint), text(m.MountOptions))
	add("Roofline", prefixed("storage ", rate(m.StorageBytesPerS)), prefixed("memory copy ", rate(m.CopyBytesPerS)), prefixed("host to device ", rate(m.DeviceBytesPerS)))
	add("Measured", count(&m.Loads, "load", "loads"), with("by sllmq ", m.SllmqVersions))
	return list
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func with(before string, s *string) string { return prefixed(before, text(s)) }

func prefixed(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

func count(n *int64, one, many string) string {
	switch {
	case n == nil:
		return ""
	case *n == 1:
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", *n, many)
}

func bytesText(n *int64, format func(int64) string) string {
	if n == nil {
		return ""
	}
	return format(*n)
}

func rate(v *float64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%.2f GB/s", *v/1e9)
}
