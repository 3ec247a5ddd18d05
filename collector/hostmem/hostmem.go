// Package hostmem maps memory of the host that is not Go's: aligned to huge
// pages, touched before anybody times anything, and page-locked on request.
// Read buffers, pools and the device "host" are made of it.
package hostmem

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HugePage is the size in bytes of the pages with which x86-64 and arm64
// kernels back anonymous memory when asked. Sizes are rounded up to it.
const HugePage = 2 << 20

func roundUp(size int64) int64 {
	return max(1, (size+HugePage-1)/HugePage) * HugePage
}

// Map maps at least size bytes of anonymous memory, a multiple of HugePage and
// aligned to it, asks for huge pages, and touches every page, so that no load
// pays for the first touch. Unmap returns it.
func Map(size int64) ([]byte, error) {
	size = roundUp(size)
	// One more huge page than asked for, so that it contains an aligned part.
	region, err := unix.Mmap(-1, 0, int(size+HugePage), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes of memory: %w", size, err)
	}
	skip := (HugePage - int64(uintptr(unsafe.Pointer(&region[0]))%HugePage)) % HugePage
	b := region[skip : skip+size : skip+size]
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // only advice: small pages work too, slower
	populate(b)
	return b, nil
}

// Unmap returns memory of Map to the kernel. The unaligned remainders at both
// ends stay mapped: they were never touched and hold no memory.
func Unmap(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := unix.MunmapPtr(unsafe.Pointer(&b[0]), uintptr(len(b))); err != nil {
		return fmt.Errorf("unmap %d bytes of memory: %w", len(b), err)
	}
	return nil
}

// MapFile is Map for memory that other processes can open: a memory file of
// this name (memfd_create(2)). Its size is sealed, so that nobody who maps it
// can be hurt by its becoming shorter. The caller unmaps b with unix.Munmap and
// closes f.
func MapFile(name string, size int64) (f *os.File, b []byte, err error) {
	size = roundUp(size)
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, nil, fmt.Errorf("make a memory file: %w", err)
	}
	f = os.NewFile(uintptr(fd), name)
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make a memory file of %d bytes: %w", size, err), f.Close())
			f, b = nil, nil
		}
	}()
	if err := f.Truncate(size); err != nil {
		return f, nil, err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return f, nil, err
	}
	if b, err = unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return f, nil, err
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // only advice
	populate(b)
	return f, b, nil
}

// populate touches every page from a few goroutines: the kernel zeroes a page
// on the CPU that touches it first.
func populate(b []byte) {
	const part = 64 << 20
	var wg sync.WaitGroup
	parts := make(chan []byte)
	for range 4 {
		wg.Go(func() {
			for p := range parts {
				if unix.Madvise(p, unix.MADV_POPULATE_WRITE) == nil {
					continue
				}
				for i := 0; i < len(p); i += 4096 {
					p[i] = 0
				}
			}
		})
	}
	for start := 0; start < len(b); start += part {
		parts <- b[start:min(start+part, len(b))]
	}
	close(parts)
	wg.Wait()
}
