package machine

import (
	"os"
	"path/filepath"
	"strconv"
)

// BootID identifies this boot of the machine: a process ID means the same
// process only within one.
func BootID() string { return ReadLine("/proc/sys/kernel/random/boot_id") }

// Alive reports whether a process with this ID exists.
func Alive(pid int64) bool {
	_, err := os.Stat(filepath.Join("/proc", strconv.FormatInt(pid, 10)))
	return err == nil
}
