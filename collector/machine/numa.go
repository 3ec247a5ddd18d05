package machine

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// StorageNode returns the NUMA node to which the storage under an absolute path
// is attached; nil if there is only one node or the hardware does not report it.
// The path need not exist yet.
func StorageNode(path string) *int {
	if nodes, err := parseCPUs(ReadLine("/sys/devices/system/node/online")); err != nil || len(nodes) < 2 {
		return nil
	}
	return nodeOf(BlockDevice(Existing(path)))
}

// nodeOf returns the node of a device, given its folder under /sys/devices: that
// of the nearest parent that has one, which is the device on the bus.
func nodeOf(dir string) *int {
	for strings.Count(dir, "/") > 1 {
		if node, err := strconv.Atoi(ReadLine(dir, "numa_node")); err == nil && node >= 0 {
			return &node
		}
		dir = filepath.Dir(dir)
	}
	return nil
}

// NodeCPUs returns the CPUs of a NUMA node, none if there is no such node.
func NodeCPUs(node int) []int {
	cpus, err := parseCPUs(ReadLine("/sys/devices/system/node", "node"+strconv.Itoa(node), "cpulist"))
	if err != nil {
		return nil
	}
	return cpus
}

// mostCPUs bounds the numbers in a list.
const mostCPUs = 1 << 16

// OnlineCPUs returns how many CPUs the machine runs on, whether or not this
// process may use them.
func OnlineCPUs() int {
	cpus, err := parseCPUs(ReadLine("/sys/devices/system/cpu/online"))
	if err != nil || len(cpus) == 0 {
		return runtime.NumCPU()
	}
	return len(cpus)
}

// parseCPUs parses a list such as 0-3,8, of CPUs or of nodes.
func parseCPUs(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var all []int
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(low)
		if err != nil {
			return nil, err
		}
		last := first
		if isRange {
			if last, err = strconv.Atoi(high); err != nil {
				return nil, err
			}
		}
		if first < 0 || last < first || last >= mostCPUs {
			return nil, os.ErrInvalid
		}
		for i := first; i <= last; i++ {
			all = append(all, i)
		}
	}
	return all, nil
}
