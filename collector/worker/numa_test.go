package worker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/worker"
)

// TestWorkerRunsOnItsNode: the process's threads and memory are bound to the node it
// was given, and it reports that; the parent is not bound.
func TestWorkerRunsOnItsNode(t *testing.T) {
	nodes, err := filepath.Glob("/sys/devices/system/node/node[0-9]*")
	if err != nil || len(nodes) == 0 {
		t.Skip("the kernel lists no NUMA nodes")
	}
	var node int
	if _, err := fmt.Sscanf(filepath.Base(nodes[len(nodes)-1]), "node%d", &node); err != nil {
		t.Fatal(err)
	}
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	w, err := start(t, "native", worker.Open{Format: "safetensors", Loader: "direct", Device: "host", DeviceBytes: 64 << 20, Threads: 4, Node: &node})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(10 * time.Second)
	if w.Session.NUMANode == nil {
		t.Skip("memory policies are refused here")
	}
	if *w.Session.NUMANode != int64(node) {
		t.Errorf("it runs on node %d, want %d", *w.Session.NUMANode, node)
	}
	// The region of the device is there, and its pages lie on the node.
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/numa_maps", *w.Session.PID))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(" N%d=", node); !strings.Contains(string(text), want) || !strings.Contains(string(text), "prefer") {
		t.Errorf("no page is on node %d by preference:\n%s", node, text)
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
		t.Errorf("the parent's CPUs changed: %v, %v", after, err)
	}
	if huge := w.Session.HugePageBytes; huge == nil || *huge < 0 {
		t.Errorf("huge pages: %v", huge)
	}
}

func TestWorkerRunsAnywhereByDefault(t *testing.T) {
	w, err := start(t, "native", worker.Open{Format: "safetensors", Loader: "direct", Device: "host", DeviceBytes: 4 << 20, Threads: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(10 * time.Second)
	if w.Session.NUMANode != nil {
		t.Errorf("it runs on node %d", *w.Session.NUMANode)
	}
}
