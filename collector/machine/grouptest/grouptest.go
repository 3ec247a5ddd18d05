// Package grouptest makes control groups with limits, for tests of what is slow
// because it is kept from being fast.
package grouptest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Limit is what a controller is told.
type Limit struct {
	Controller string
	Settings   [][2]string // file and value, in the order in which they are written
}

// Make makes a control group that has a limit and returns its folder: a process
// joins by writing its id to cgroup.procs there. It goes by version 2 of control
// groups where that has the controller, else by version 1, and skips the test
// where none can be made. The group is removed when the test ends, after the last
// process has left.
func Make(t testing.TB, v1, v2 Limit) string {
	t.Helper()
	const root = "/sys/fs/cgroup"
	tree, settings := filepath.Join(root, v1.Controller), v1.Settings
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		tree, settings = root, append([][2]string{{"../cgroup.subtree_control", "+" + v2.Controller}}, v2.Settings...)
	}
	group := filepath.Join(tree, fmt.Sprintf("sllmq-test-%d", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("no control group can be made: %v", err)
	}
	t.Cleanup(func() {
		for range 100 {
			if os.Remove(group) == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%s can't be removed", group)
	})
	for _, s := range settings {
		f, err := os.OpenFile(filepath.Join(group, s[0]), os.O_WRONLY, 0)
		if err != nil {
			t.Skipf("the control group has no such limit: %v", err)
		}
		_, err = f.WriteString(s[1])
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			t.Skipf("the control group takes no limit: %v", err)
		}
	}
	return group
}
