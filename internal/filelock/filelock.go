// Package filelock lets one process at a time do something, by flock on a file
// that represents it.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// poll is the time between two attempts at a lock.
const poll = 50 * time.Millisecond

// ErrLocked reports that another process, or another open file, has the lock.
var ErrLocked = errors.New("locked by another process")

// Lock waits until this process alone has the lock of the file at path, which is
// created if it is missing. Closing the file releases the lock, and so does the end
// of the process. The file stays: if it were removed, two processes could lock two
// files. Others, such as Python's filelock, do remove it, so Lock makes sure that
// path still names the file that it locked.
//
// The error wraps the cause of ctx's end, is an *os.PathError if the file could not
// be opened, or says why flock failed.
func Lock(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := Try(path)
		if !errors.Is(err, ErrLocked) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another process to release %s: %w", path, context.Cause(ctx))
		case <-time.After(poll):
		}
	}
}

// Try is Lock without waiting: it fails with ErrLocked instead.
func Try(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && named(f, path) {
			return f, nil
		}
		f.Close()
		switch {
		case err == nil, errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return nil, ErrLocked
		default:
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// named reports whether path still names the open file.
func named(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(held, now)
}
