package machine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestParseCPUs(t *testing.T) {
	for list, want := range map[string][]int{"": nil, "0": {0}, "0-2,8,10-11": {0, 1, 2, 8, 10, 11}} {
		if got, err := parseCPUs(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	for _, list := range []string{"a", "1-", "3-1", "-1", "0-99999999999", "0-70000", ","} {
		if got, err := parseCPUs(list); err == nil {
			t.Errorf("%q: %v", list, got)
		}
	}
}

// The disk has no node, its controller has; -1 means none.
func TestNodeOfADevice(t *testing.T) {
	root := t.TempDir()
	disk := filepath.Join(root, "pci0000:40", "0000:41:00.0", "nvme", "nvme0", "nvme0n1")
	if err := os.MkdirAll(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(dir, node string) {
		if err := os.WriteFile(filepath.Join(root, dir, "numa_node"), []byte(node+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if node := nodeOf(disk); node != nil {
		t.Errorf("without numa_node: %d", *node)
	}
	write("pci0000:40", "1")
	write("pci0000:40/0000:41:00.0", "3")
	write("pci0000:40/0000:41:00.0/nvme/nvme0", "-1")
	if node := nodeOf(disk); node == nil || *node != 3 {
		t.Errorf("node %v, want 3", node)
	}
	if node := nodeOf(""); node != nil {
		t.Errorf("no device, but node %d", *node)
	}
}

func TestNodeCPUs(t *testing.T) {
	if _, err := os.Stat("/sys/devices/system/node/node0/cpulist"); err != nil {
		t.Skip("the kernel reports no nodes")
	}
	if len(NodeCPUs(0)) == 0 && len(NodeCPUs(1)) == 0 {
		t.Error("neither of the first two nodes has a CPU")
	}
	if cpus := NodeCPUs(100_000); cpus != nil {
		t.Errorf("a node that does not exist has CPUs %v", cpus)
	}
}
