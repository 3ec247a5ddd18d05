// Package scratch makes temporary folders that are removed even if their
// process is killed: each is locked while its process lives, and the next
// process that makes one beside it removes those that nobody locks.
package scratch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is a temporary folder of this process.
type Dir struct {
	Path string
	lock *os.File // the folder itself, locked
}

// New makes a folder in parent, with a name that begins with prefix, and removes
// the abandoned ones with that prefix.
func New(parent, prefix string) (*Dir, error) {
	if err := Sweep(parent, prefix); err != nil {
		return nil, err
	}
	for {
		path, err := os.MkdirTemp(parent, prefix+"*")
		if err != nil {
			return nil, err
		}
		lock, err := tryLock(path)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(path))
		}
		if lock != nil {
			return &Dir{path, lock}, nil
		}
		// A sweep found the folder before it was locked; make another.
	}
}

// Remove removes the folder and what is in it.
func (d *Dir) Remove() error { return errors.Join(os.RemoveAll(d.Path), d.lock.Close()) }

// Release keeps the folder, for one that has been renamed to its destination.
func (d *Dir) Release() error { return d.lock.Close() }

// Sweep removes the folders in parent whose names begin with prefix and whose
// processes have ended.
func Sweep(parent, prefix string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), prefix) {
			continue
		}
		path := filepath.Join(parent, entry.Name())
		lock, err := tryLock(path)
		if err != nil {
			return err
		}
		if lock != nil {
			if err := errors.Join(os.RemoveAll(path), lock.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}

// tryLock locks a folder. It returns nil if another process has the lock or the
// folder is gone.
func tryLock(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		// The lock is of no use if the folder was removed meanwhile.
		var held, now os.FileInfo
		if held, err = f.Stat(); err == nil {
			if now, err = os.Stat(path); err == nil && os.SameFile(held, now) {
				return f, nil
			}
		}
	}
	if err == nil || errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, os.ErrNotExist) {
		return nil, f.Close()
	}
	return nil, errors.Join(err, f.Close())
}
