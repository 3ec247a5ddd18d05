// Package directio reads files with O_DIRECT, past the page cache.
//
// O_DIRECT requires the offset in the file, the length and the buffer's address
// to be multiples of the device's block size (open(2)). This package requires
// multiples of Align, which every common device accepts.
package directio

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Align is the alignment, in bytes, of offsets, buffer addresses and buffer
// capacities.
const Align = 4096

// File is a file of a known size, open for reading.
type File struct {
	f    *os.File
	size int64
	// Direct reports whether O_DIRECT is in force. Some overlay and network
	// filesystems refuse it, and tmpfs and ramfs have nothing but the page cache.
	Direct bool
}

// Open opens path, with O_DIRECT if direct is set and the filesystem accepts it.
// The file must have size bytes when it is read.
func Open(path string, size int64, direct bool) (*File, error) {
	return open(func(flag int) (*os.File, error) { return os.OpenFile(path, flag, 0) }, size, direct)
}

// OpenIn is Open for a file below root, which no symbolic link can leave.
func OpenIn(root *os.Root, name string, size int64, direct bool) (*File, error) {
	return open(func(flag int) (*os.File, error) { return root.OpenFile(name, flag, 0) }, size, direct)
}

func open(open func(flag int) (*os.File, error), size int64, direct bool) (*File, error) {
	if direct {
		f, err := open(os.O_RDONLY | unix.O_DIRECT)
		if err == nil {
			// Since Linux 6.6 tmpfs accepts the flag and ignores it.
			return &File{f: f, size: size, Direct: !inMemory(f)}, nil
		}
		if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EOPNOTSUPP) {
			return nil, fmt.Errorf("open for direct reading: %w", err)
		}
	}
	f, err := open(os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("open for reading: %w", err)
	}
	return &File{f: f, size: size}, nil
}

// inMemory reports whether f is on a filesystem that lives in the page cache.
func inMemory(f *os.File) bool {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return false
	}
	return fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC
}

// ReadAt reads len(b) bytes at offset, fewer only at the file's end, and returns
// how many it read. The capacity of b must be a multiple of Align, because the
// last request of a file reaches past its end. A file that has become shorter than
// the size it was opened with is an error, io.ErrUnexpectedEOF.
func (f *File) ReadAt(b []byte, offset int64) (int, error) {
	want := int(min(int64(len(b)), f.size-offset))
	if want <= 0 {
		return 0, nil
	}
	request := (want + Align - 1) / Align * Align
	if request > cap(b) {
		return 0, fmt.Errorf("read %s: a buffer of %d bytes is not a multiple of %d", f.f.Name(), cap(b), Align)
	}
	b = b[:request]
	for done := 0; done < want; {
		n, err := unix.Pread(int(f.f.Fd()), b[done:], offset+int64(done))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return done, fmt.Errorf("read %s at byte %d: %w", f.f.Name(), offset+int64(done), err)
		case n == 0:
			return done, fmt.Errorf("read %s: it ends at byte %d of %d: %w", f.f.Name(), offset+int64(done), f.size, io.ErrUnexpectedEOF)
		}
		done += n
		// A direct read that ends inside a block can't be continued: it reached
		// the end of the file.
		if done < want && done%Align != 0 && f.Direct {
			return done, fmt.Errorf("read %s: it ends at byte %d of %d: %w", f.f.Name(), offset+int64(done), f.size, io.ErrUnexpectedEOF)
		}
	}
	return want, nil
}

// Size returns the size that the file was opened with.
func (f *File) Size() int64 { return f.size }

// Descriptor returns the file descriptor, for libraries that read by themselves.
func (f *File) Descriptor() int { return int(f.f.Fd()) }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }
