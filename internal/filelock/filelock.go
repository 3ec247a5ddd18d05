// Package filelock lets one process at a time do something, by flock on a file
// that stands for it.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// poll is how often a lock that someone else has is tried.
const poll = 50 * time.Millisecond

// Lock waits until this process alone has the lock of the file at path, which is
// made if it is not there. Closing the file gives the lock back, and so does the
// process's end. The file stays: removing it would let two processes lock two
// files. Whoever does not keep to that (Python's filelock) is guarded against:
// what was locked must still be what the path names.
//
// The error is ctx's if it ended first, an *os.PathError if the file could not
// be opened, and otherwise what flock refused with.
func Lock(ctx context.Context, path string) (*os.File, error) {
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
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(poll):
		}
	}
}

// named says whether path is still the open file.
func named(f *os.File, path string) bool {
	held, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(held, now)
}
