package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockName is the file whose flock says who writes in a folder of replicas.
// It stays there: removing it would let two processes lock two files.
const lockName = ".lock"

// lockPoll is how often a lock that someone else has is tried.
const lockPoll = 50 * time.Millisecond

// lockFolder waits until this process is the only one that prepares in dir.
// Closing the file gives the lock back, and so does the process's end.
func lockFolder(ctx context.Context, dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, writeError(path, cause(err))
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for another process to leave %s: %w", path, ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}
