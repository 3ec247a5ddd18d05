package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockPoll is how often a lock that someone else has is tried.
const lockPoll = 50 * time.Millisecond

// lock waits until nobody else, huggingface_hub included, writes the blob that
// the path stands for. Closing the file gives the lock back, and so does the
// process's end. The file stays, but Python's lock may remove its own, so what
// was locked must still be what the path names.
func lock(ctx context.Context, path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, writeError(err)
	}
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o664)
		if err != nil {
			return nil, writeError(err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && named(f, path) {
			return f, nil
		}
		f.Close()
		if err == nil || errors.Is(err, unix.EINTR) {
			continue
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w: set HF_HUB_CACHE to a disk that has locks", path, err)
		}
		if err := sleep(ctx, lockPoll); err != nil {
			return nil, fmt.Errorf("wait for another process that fetches %s: %w", path, err)
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
