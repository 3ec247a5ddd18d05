package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sllmq/sllmq/queries"
)

// unknown stands where nothing is known.
const unknown = "–"

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// seconds has three decimals, and below a tenth three digits that count.
func seconds(v *float64) string {
	switch {
	case v == nil:
		return unknown
	case *v > 1e-9 && *v < 0.1:
		return strconv.FormatFloat(*v, 'f', 2-int(math.Floor(math.Log10(*v))), 64)
	}
	return strconv.FormatFloat(*v, 'f', 3, 64)
}

func decimals(v *float64, n int, unit float64) string {
	if v == nil {
		return unknown
	}
	return strconv.FormatFloat(*v/unit, 'f', n, 64)
}

// bytesText is a size as people say it.
func bytesText(n int64, unit int64, names ...string) string {
	v := float64(n)
	i := 0
	for ; v >= float64(unit) && i < len(names)-1; i++ {
		v /= float64(unit)
	}
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 1, 64), "0"), ".") + " " + names[i]
}

func memory(n int64) string {
	return bytesText(n, 1024, "B", "KiB", "MiB", "GiB", "TiB")
}

func disk(n int64) string { return bytesText(n, 1000, "B", "kB", "MB", "GB", "TB", "PB") }

// fact is a line about a machine.
type fact struct{ Name, Value string }

// facts are what is known of a machine, in people's units.
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
	add("Memory", size(m.MemoryBytes, memory), with("huge pages ", m.HugePages), reporting)
	if m.GPUModel != nil {
		add("GPU", count(m.GPUs, "of them", "of them"), text(m.GPUModel), size(m.GPUMemoryBytes, memory), with("driver ", m.GPUDriver))
	}
	rotating := ""
	if m.StorageRotational != nil && *m.StorageRotational {
		rotating = "rotating"
	}
	add("Storage", with("device ", m.StorageDevice), text(m.StorageModel), rotating, size(m.StorageBytes, disk), with("scheduler ", m.StorageScheduler), prefixed("requests up to ", size(m.StorageMaxIOBytes, memory)), prefixed("read-ahead ", size(m.StorageReadAheadBytes, memory)))
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

func size(n *int64, words func(int64) string) string {
	if n == nil {
		return ""
	}
	return words(*n)
}

func rate(v *float64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%.2f GB/s", *v/1e9)
}
