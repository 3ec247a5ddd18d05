// Package directio reads files past the page cache.
//
// O_DIRECT wants the place in the file, the length and the buffer's address
// to be multiples of the device's block (open(2)); this package asks for
// multiples of Align, which every common device accepts.
package directio

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Align is what offsets, buffer addresses and buffer capacities must be a
// multiple of, in bytes.
const Align = 4096

// File is a file of a known size, open for reading.
type File struct {
	f    *os.File
	size int64
	// Direct says that O_DIRECT is in force. Some filesystems (some overlays
	// and network filesystems) refuse it, and those that live in memory, tmpfs
	// and ramfs, have nothing but the page cache.
	Direct bool
}

// Open opens path, with O_DIRECT if direct is asked for and the filesystem
// accepts it. size is how long the file has to be.
func Open(path string, size int64, direct bool) (*File, error) {
	return open(func(flag int) (*os.File, error) { return os.OpenFile(path, flag, 0) }, size, direct)
}

// OpenIn is Open for a file below a folder that no link leads out of.
func OpenIn(root *os.Root, name string, size int64, direct bool) (*File, error) {
	return open(func(flag int) (*os.File, error) { return root.OpenFile(name, flag, 0) }, size, direct)
}

func open(open func(flag int) (*os.File, error), size int64, direct bool) (*File, error) {
	if direct {
		f, err := open(os.O_RDONLY | unix.O_DIRECT)
		if err == nil {
			// tmpfs accepts the flag since Linux 6.6 and reads as before.
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

// inMemory says whether f lies on a filesystem that is the page cache.
func inMemory(f *os.File) bool {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return false
	}
	return fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC
}

// ReadAt fills b from offset, or up to the file's end, and returns how many
// bytes that were. The capacity of b must be a multiple of Align, since the
// request at the end of the file reaches past it. A file that ends before the
// size it was opened with is an error.
func (f *File) ReadAt(b []byte, offset int64) (int, error) {
	want := int(min(int64(len(b)), f.size-offset))
	if want <= 0 {
		return 0, nil
	}
	request := (want + Align - 1) / Align * Align
	if request > cap(b) {
		return 0, fmt.Errorf("read %s: a buffer of %d bytes is no multiple of %d", f.f.Name(), cap(b), Align)
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
		// A short read that ends off the block can't be gone on with directly;
		// it is the end of the file, or the page cache's business.
		if done < want && done%Align != 0 && f.Direct {
			return done, fmt.Errorf("read %s: it ends at byte %d of %d: %w", f.f.Name(), offset+int64(done), f.size, io.ErrUnexpectedEOF)
		}
	}
	return want, nil
}

// Descriptor is the open file's, for libraries that read by themselves.
func (f *File) Descriptor() int { return int(f.f.Fd()) }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }
