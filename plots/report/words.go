package report

import (
	"fmt"
	"math"
	"slices"
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
		parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
		if len(parts) > 0 {
			list = append(list, fact{name, strings.Join(parts, ", ")})
		}
	}
	add("System", text(m.OS), text(m.Kernel), text(m.Arch), with("in ", m.Hypervisor))
	add("CPU", text(m.CPUModel), count(m.CPUs, "CPU", "CPUs"), count(m.CPUSockets, "socket", "sockets"), count(m.NUMANodes, "NUMA node", "NUMA nodes"), with("governor ", m.CPUGovernor))
	add("Memory", known(m.MemoryBytes, size.Binary), with("huge pages ", m.HugePages), flag(m.FreePageReporting, "free pages go back to the host"))
	if m.GPUModel != nil {
		add("GPU", count(m.GPUs, "GPU", "GPUs"), text(m.GPUModel), known(m.GPUMemoryBytes, size.Binary), with("driver ", m.GPUDriver))
	}
	add("Storage", with("device ", m.StorageDevice), text(m.StorageModel), flag(m.StorageRotational, "rotating"), known(m.StorageBytes, size.Decimal), with("scheduler ", m.StorageScheduler), prefixed("requests up to ", known(m.StorageMaxIOBytes, size.Binary)), prefixed("read-ahead ", known(m.StorageReadAheadBytes, size.Binary)))
	add("Filesystem", text(m.Filesystem), with("at ", m.MountPoint), text(m.MountOptions))
	add("Roofline", prefixed("storage ", rate(m.StorageBytesPerS)), prefixed("memory copy ", rate(m.CopyBytesPerS)), prefixed("host to device ", rate(m.DeviceBytesPerS)))
	add("Measured", count(&m.Loads, "load", "loads"), with("by sllmq ", m.SllmqVersions))
	return list
}

// known is v in words, empty if v is nil.
func known[T any](v *T, words func(T) string) string {
	if v == nil {
		return ""
	}
	return words(*v)
}

func text(s *string) string { return known(s, func(s string) string { return s }) }

// flag is words if b is true.
func flag(b *bool, words string) string {
	if b == nil || !*b {
		return ""
	}
	return words
}

func with(before string, s *string) string { return prefixed(before, text(s)) }

// prefixed is s after before, empty if s is.
func prefixed(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

func count(n *int64, one, many string) string {
	return known(n, func(n int64) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	})
}

func rate(bytesPerS *float64) string {
	return known(bytesPerS, func(v float64) string { return fmt.Sprintf("%.2f GB/s", v/1e9) })
}
