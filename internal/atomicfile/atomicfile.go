// Package atomicfile puts files in place whole or not at all: written beside
// their destination, synced, and renamed.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write creates or replaces the file at path with what write produces. If
// write fails, or the process dies, the destination is unchanged. The new file
// has mode 0644.
func Write(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Unwrap(err)) // err names the temporary file
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close())
	var own *fs.PathError
	if errors.As(err, &own) && own.Path == f.Name() {
		err = own.Err
	}
	if err == nil {
		err = Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// Rename moves a file that has been synced to its destination, replacing what
// is there, and syncs the destination's folder.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return Sync(filepath.Dir(to))
}

// Sync writes a file's content, or a folder's entries, to the storage device.
func Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// SyncTree syncs a folder and everything in it. A missing folder is no error.
func SyncTree(dir string) error {
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return Sync(path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
