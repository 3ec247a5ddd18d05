package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestReplicaModes prepares two replicas in each mode. SLLMQ_TEST_REFLINK may
// name a folder on a filesystem with reflinks; the test then requires them.
func TestReplicaModes(t *testing.T) {
	shares := os.Getenv("SLLMQ_TEST_REFLINK")
	root := t.TempDir()
	if shares != "" {
		var err error
		if root, err = os.MkdirTemp(shares, "replicas-*"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(root) })
	}
	probe := filepath.Join(root, "probe")
	if err := os.WriteFile(probe, make([]byte, 8192), 0o666); err != nil {
		t.Fatal(err)
	}
	can := reflink(probe+"-2", probe, 8192)
	if can != nil && !errors.Is(can, errReflink) {
		t.Fatal(can)
	}
	if shares != "" && can != nil {
		t.Fatalf("%s does not share blocks: %v", shares, can)
	}
	auto := "copy"
	if can == nil {
		auto = "reflink"
	}
	for _, test := range []struct{ mode, want string }{{"auto", auto}, {"copy", "copy"}, {"auto", "copy"}, {"reflink", "reflink"}, {"auto", "reflink"}} {
		m, err := Resolve(t.Context(), "synthetic/opt-125m")
		if err != nil {
			t.Fatal(err)
		}
		plan, err := m.Plan(t.Context(), root, SLLM, "float16", 2, Options{ReplicaMode: ReplicaMode(test.mode)})
		if err != nil {
			t.Fatal(err)
		}
		if test.want == "reflink" && can != nil {
			if err := plan.Prepare(t.Context(), nil); !errors.Is(err, errReflink) {
				t.Errorf("reflink without support: %v", err)
			}
			break
		}
		if err := plan.Prepare(t.Context(), nil); err != nil {
			t.Fatalf("%s: %v", test.mode, err)
		}
		got, err := plan.ReplicaMode()
		if err != nil || got != test.want {
			t.Errorf("replica mode %s made %s (%v), want %s", test.mode, got, err, test.want)
		}
		for _, dir := range plan.Dirs {
			if complete, err := plan.complete(dir); !complete || err != nil {
				t.Errorf("replica mode %s: %s is incomplete (%v)", test.mode, dir, err)
			}
		}
	}
}
