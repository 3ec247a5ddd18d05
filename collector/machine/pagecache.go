package machine

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Resident returns how many bytes of the files are in the page cache. It calls
// cachestat(2), from Linux 6.5 on, and falls back to mincore(2).
func Resident(paths []string) (int64, error) {
	var total int64
	for _, path := range paths {
		n, err := residentFile(path)
		if err != nil {
			return 0, fmt.Errorf("page-cache residency of %s: %w", path, err)
		}
		total += n
	}
	return total, nil
}

// Drop drops the files from the page cache. Dirty pages can't be dropped, so it
// writes them first.
func Drop(paths []string) error {
	for _, path := range paths {
		if err := dropFile(path); err != nil {
			return fmt.Errorf("drop page cache of %s: %w", path, err)
		}
	}
	return nil
}

func dropFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

func residentFile(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	pages, err := cachestat(f)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
		pages, err = mincore(f, info.Size())
	}
	// The last page may reach past the end of the file.
	return min(pages*int64(os.Getpagesize()), info.Size()), err
}

// sysCachestat is the system call's number, the same on every architecture, as
// of all system calls since Linux 5.0.
const sysCachestat = 451

func cachestat(f *os.File) (int64, error) {
	whole := struct{ offset, length uint64 }{} // length 0 means to the end
	var stat struct{ cache, dirty, writeback, evicted, recentlyEvicted uint64 }
	_, _, errno := unix.Syscall6(sysCachestat, f.Fd(), uintptr(unsafe.Pointer(&whole)), uintptr(unsafe.Pointer(&stat)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int64(stat.cache), nil
}

func mincore(f *os.File, size int64) (int64, error) {
	const window = 1 << 30
	page := int64(os.Getpagesize())
	states := make([]byte, window/page)
	var resident int64
	for start := int64(0); start < size; start += window {
		length := min(window, size-start)
		b, err := unix.Mmap(int(f.Fd()), start, int(length), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return 0, err
		}
		_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(length), uintptr(unsafe.Pointer(&states[0])))
		if err := unix.Munmap(b); err != nil {
			return 0, err
		}
		if errno != 0 {
			return 0, errno
		}
		for _, state := range states[:(length+page-1)/page] {
			resident += int64(state & 1)
		}
	}
	return resident, nil
}
