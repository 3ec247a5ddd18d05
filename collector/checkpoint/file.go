package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/internal/gitlfs"
)

// copyStep is how many bytes are copied between checks of the context and
// reports of progress.
const copyStep = 8 << 20

// create creates a file and allocates its space, so that a full disk shows
// before the first byte is written and the blocks are contiguous.
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

// finish syncs a file, drops its pages from the page cache and closes it.
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

// writeWhole writes and syncs a small file.
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

// copyFile copies size bytes of a file. It starts writeback and drops pages as
// it goes, so that neither dirty nor clean pages pile up. It does not use
// copy_file_range, which may share blocks between the two files.
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
				return fileError("copy", from, fmt.Sprintf("it became shorter than its %d bytes", size))
			}
			return writeError(to, cause(err))
		}
		// Errors of writeback show when the file is synced.
		_ = unix.SyncFileRange(int(dst.Fd()), at, n, unix.SYNC_FILE_RANGE_WRITE)
		dropPages(src, at, n)
		at += n
		progress(n)
	}
	return finish(dst)
}

// dropPages drops a range of a file's clean pages from the page cache, or all
// that follow offset if length is 0. Failing to do so is harmless.
func dropPages(f *os.File, offset, length int64) {
	_ = unix.Fadvise(int(f.Fd()), offset, length, unix.FADV_DONTNEED)
}

// openRegular opens a regular file and returns its size. Opening a named pipe
// would wait for its writer.
func openRegular(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, corrupt("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, cause(err)
	}
	if err := gitlfs.Check(f, info.Size()); err != nil {
		f.Close()
		return nil, 0, corruptError{err.Error()}
	}
	return f, info.Size(), nil
}

// readBounded reads a whole file of JSON that may be as large as an index.
func readBounded(path string) ([]byte, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxIndexBytes {
		return nil, corrupt("its size of %d bytes exceeds the limit of %d", size, maxIndexBytes)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, readAtError(err, size)
	}
	return b, nil
}

// cause strips the path from an error whose caller adds it.
func cause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// readAtError explains an end of file before the expected size.
func readAtError(err error, size int64) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corrupt("the file is truncated at %d bytes: download it again", size)
	}
	return cause(err)
}
