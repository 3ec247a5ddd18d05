// Package grouptest makes control groups with limits, for tests that must run with
// little CPU time or slow storage.
package grouptest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Limit is a controller and its settings.
type Limit struct {
	Controller string
	Settings   [][2]string // files and values, in the order to write them
}

// Make makes a control group with a limit and returns its folder; a process joins by
// writing its ID to cgroup.procs there. Make uses version 2 of control groups if it
// is mounted, else version 1, and skips the test if it can't make the group. The
// group is removed when the test ends, after its last process has left.
func Make(t testing.TB, v1, v2 Limit) string {
	t.Helper()
	const root = "/sys/fs/cgroup"
	tree, settings := filepath.Join(root, v1.Controller), v1.Settings
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		tree, settings = root, append([][2]string{{"../cgroup.subtree_control", "+" + v2.Controller}}, v2.Settings...)
	}
	group := filepath.Join(tree, fmt.Sprintf("sllmq-test-%d", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("can't make a control group: %v", err)
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
			t.Skipf("the control group refused the limit: %v", err)
		}
	}
	return group
}
