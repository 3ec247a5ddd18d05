package warehouse

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// DuckDB keeps what is committed and not yet in the file in a log beside it.
// Closing works the log in and removes it, so one that lies there while nobody
// has the file open was left by a writer that was killed. DuckDB works in what
// such a log holds whole and drops the rest without a word, or refuses to open
// the file if the log is corrupt; here it is never dropped.

func walPath(path string) string { return path + ".wal" }

// keepLeftover copies a log that a killed writer left, before DuckDB works it
// in, and returns the copy's name; "" where there is none.
func keepLeftover(path string) (string, error) {
	info, err := os.Stat(walPath(path))
	if err != nil || info.Size() == 0 || inUse(path) {
		return "", nil
	}
	kept := asideName(path)
	in, err := os.Open(walPath(path))
	if err != nil {
		return "", nil // it is gone: somebody lives
	}
	defer in.Close()
	out, err := os.OpenFile(kept, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", fmt.Errorf("keep the log that a killed writer left: %w", err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return "", fmt.Errorf("keep the log that a killed writer left: %w", err)
	}
	return kept, nil
}

// setAside renames a log with which DuckDB refuses to open the file, so that
// what was in the file before can be read.
func setAside(path string, o Options) bool {
	if _, err := os.Stat(walPath(path)); err != nil || inUse(path) {
		return false
	}
	aside := asideName(path)
	if os.Rename(walPath(path), aside) != nil {
		return false
	}
	o.warn(fmt.Sprintf("the log of warehouse %s is corrupt and was set aside as %s; what was in the file before is there, the append under way was lost", path, aside))
	return true
}

func asideName(path string) string {
	return walPath(path) + ".torn-" + time.Now().UTC().Format("20060102T150405.000000000Z")
}

// inUse says whether a process holds a lock on the file. It reads the kernel's
// list instead of asking with fcntl: closing any descriptor of a file gives up
// all of a process's locks on it (fcntl_locking(2)), DuckDB's too.
func inUse(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return false
	}
	defer f.Close()
	inode := fmt.Sprintf(":%d", stat.Ino)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// 1: POSIX  ADVISORY  WRITE 1234 fe:00:5678 0 EOF
		for _, field := range strings.Fields(lines.Text()) {
			if strings.Count(field, ":") == 2 && strings.HasSuffix(field, inode) {
				return true
			}
		}
	}
	return false
}
