package warehouse

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/sllmq/sllmq/warehouse/database"
)

// DuckDB keeps what is committed and not yet in the file in a log beside it.
// Closing replays the log and removes it, so a log beside a file that nobody has
// open was left by a writer that was killed. DuckDB replays what is whole in such a
// log and silently drops the rest, or refuses to open the file if the log is corrupt.
// Here no log is ever dropped.

func walPath(path string) string { return path + ".wal" }

// openWithLog opens the file, replaying a log that a killed writer left.
func (f *file) openWithLog(ctx context.Context, readOnly bool) (*DB, error) {
	kept := ""
	if !readOnly {
		var err error
		if kept, err = f.keepLog(); err != nil {
			return nil, err
		}
	}
	db, err := database.Open(ctx, f.path, readOnly)
	switch {
	case err == nil && kept != "":
		f.options.Warning(fmt.Sprintf("a writer of warehouse %s was killed; what was whole in its log is in the warehouse now, and the log is kept as %s", f.path, kept))
	case kept != "":
		err = errors.Join(err, os.Remove(kept)) // not replayed: it is still in its place
	}
	if err != nil && readOnly && !database.IsLocked(err) && f.replay(ctx) {
		db, err = database.Open(ctx, f.path, readOnly)
	}
	if err != nil && !database.IsLocked(err) && f.setLogAside() {
		db, err = database.Open(ctx, f.path, readOnly)
	}
	return db, err
}

// replay opens the file for writing once. If a checkpoint was killed there may be
// two logs, which only a writer can merge.
func (f *file) replay(ctx context.Context) bool {
	if _, err := os.Stat(walPath(f.path)); err != nil {
		return false
	}
	db, err := database.Open(ctx, f.path, false)
	return err == nil && db.Close() == nil
}

// keepLog copies a log that a killed writer left, before DuckDB replays it, and
// returns the copy's name; "" if there is none.
func (f *file) keepLog() (string, error) {
	path := f.path
	info, err := os.Stat(walPath(path))
	if err != nil || info.Size() == 0 || inUse(path) {
		return "", nil
	}
	kept := asideName(path)
	in, err := os.Open(walPath(path))
	if err != nil {
		return "", nil // it is gone: a writer is alive
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

// setLogAside renames a log with which DuckDB refuses to open the file, so that
// what was in the file before can be read.
func (f *file) setLogAside() bool {
	path := f.path
	if _, err := os.Stat(walPath(path)); err != nil || inUse(path) {
		return false
	}
	aside := asideName(path)
	if os.Rename(walPath(path), aside) != nil {
		return false
	}
	f.options.Warning(fmt.Sprintf("the log of warehouse %s is corrupt and was set aside as %s; what was in the file before is there, the append under way was lost", path, aside))
	return true
}

func asideName(path string) string {
	return walPath(path) + ".torn-" + time.Now().UTC().Format("20060102T150405.000000000Z")
}

// inUse reports whether a process holds a lock on the file. It reads the kernel's
// list instead of asking with fcntl: closing any descriptor of a file releases all of
// the process's locks on it (fcntl_locking(2)), DuckDB's included.
func inUse(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return false
	}
	defer locks.Close()
	inode := fmt.Sprintf(":%d", stat.Ino)
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// 1: POSIX  ADVISORY  WRITE 1234 fe:00:5678 0 EOF
		for _, field := range strings.Fields(lines.Text()) {
			if strings.Count(field, ":") == 2 && strings.HasSuffix(field, inode) {
				return true
			}
		}
	}
	return false
}
