package collector_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// loop is a filesystem on a loop device: storage that a test can break or unmount.
type loop struct {
	image  string // the file below the device
	device string
	dir    string // where it is mounted
}

// mountLoop makes and mounts a filesystem of the given size. It needs root.
func mountLoop(t *testing.T, bytes int64) loop {
	t.Helper()
	for _, tool := range []string{"losetup", "mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(tool); err != nil || os.Geteuid() != 0 {
			t.Skipf("needs root and %s", tool)
		}
	}
	do := func(command string, arguments ...string) string {
		t.Helper()
		out, err := exec.Command(command, arguments...).CombinedOutput()
		if err != nil {
			t.Skipf("%s %v: %v: %s", command, arguments, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	parent := t.TempDir()
	l := loop{image: filepath.Join(parent, "image"), dir: filepath.Join(parent, "storage")}
	for _, err := range []error{os.WriteFile(l.image, nil, 0o644), os.Truncate(l.image, bytes), os.Mkdir(l.dir, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	l.device = do("losetup", "--find", "--show", l.image)
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", l.device).Run() })
	do("mkfs.ext4", "-q", "-b", "4096", l.device)
	do("mount", l.device, l.dir)
	t.Cleanup(func() { _ = exec.Command("umount", "--lazy", l.dir).Run() })
	return l
}
