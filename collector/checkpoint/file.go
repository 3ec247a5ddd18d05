package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// copyStep is how much is copied before ctx is looked at and progress told.
const copyStep = 8 << 20

// create makes a file that has all its space, so that a disk too small is
// known before the first byte, and the blocks lie together.
func create(path string, size int64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, writeError(path, cause(err))
	}
	if size == 0 {
		return f, nil
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	for errors.Is(err, unix.EINTR) {
		err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	}
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		err = f.Truncate(size)
	}
	if err != nil {
		f.Close()
		return nil, writeError(path, cause(err))
	}
	return f, nil
}

// finish brings a file to the disk, lets go of its pages and closes it.
func finish(f *os.File) error {
	if err := f.Sync(); err != nil {
		f.Close()
		return writeError(f.Name(), cause(err))
	}
	dropPages(f, 0, 0)
	if err := f.Close(); err != nil {
		return writeError(f.Name(), cause(err))
	}
	return nil
}

// writeWhole writes a small file and brings it to the disk.
func writeWhole(path string, b []byte) error {
	f, err := create(path, int64(len(b)))
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		f.Close()
		return writeError(path, cause(err))
	}
	return finish(f)
}

// copyFile copies a file of a known size, and writes it back as it goes, so
// that neither dirty nor clean pages pile up. The bytes pass through this
// program: the kernel's own copy (copy_file_range) may share blocks.
func copyFile(ctx context.Context, to, from string, size int64, progress func(int64)) error {
	src, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	defer src.Close()
	dst, err := create(to, size)
	if err != nil {
		return err
	}
	buffer := make([]byte, min(copyStep, size))
	for at := int64(0); at < size; {
		n := min(copyStep, size-at)
		if err := ctx.Err(); err != nil {
			dst.Close()
			return fmt.Errorf("write %s: %w", to, err)
		}
		_, err := io.ReadFull(src, buffer[:n])
		if err == nil {
			_, err = dst.Write(buffer[:n])
		}
		if err != nil {
			dst.Close()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fileError("copy", from, fmt.Sprintf("it is shorter than the %d bytes it had", size))
			}
			return writeError(to, cause(err))
		}
		// Advice: what could go wrong here shows when the file is synced.
		_ = unix.SyncFileRange(int(dst.Fd()), at, n, unix.SYNC_FILE_RANGE_WRITE)
		dropPages(src, at, n)
		at += n
		progress(n)
	}
	return finish(dst)
}

// syncFolder brings a folder's names to the disk.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return writeError(dir, cause(err))
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return writeError(dir, cause(err))
	}
	return nil
}

// dropPages asks the kernel to forget clean pages of a file, all of them if
// length is 0. It is advice: what comes of it is not needed.
func dropPages(f *os.File, offset, length int64) {
	_ = unix.Fadvise(int(f.Fd()), offset, length, unix.FADV_DONTNEED)
}
