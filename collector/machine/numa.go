package machine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// StorageNode is the NUMA node that the storage of an absolute path hangs on,
// nil where there is one node alone or the hardware does not tell. The path need
// not exist yet.
func StorageNode(path string) *int {
	if nodes, err := parseCPUs(readLine("/sys/devices/system/node/online")); err != nil || len(nodes) < 2 {
		return nil
	}
	return nodeOf(BlockDevice(Existing(path)))
}

// nodeOf looks for the node of a device, by its folder under /sys/devices: the
// nearest above it that has one is what sits on the bus.
func nodeOf(dir string) *int {
	for strings.Count(dir, "/") > 1 {
		if node, err := strconv.Atoi(readLine(dir, "numa_node")); err == nil && node >= 0 {
			return &node
		}
		dir = filepath.Dir(dir)
	}
	return nil
}

// NodeCPUs are the CPUs of a NUMA node, none where there is no such node.
func NodeCPUs(node int) []int {
	cpus, err := parseCPUs(readLine("/sys/devices/system/node", "node"+strconv.Itoa(node), "cpulist"))
	if err != nil {
		return nil
	}
	return cpus
}

// mostCPUs bounds what a list may count up to.
const mostCPUs = 1 << 16

// parseCPUs reads a list such as 0-3,8: of CPUs, or of nodes.
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
