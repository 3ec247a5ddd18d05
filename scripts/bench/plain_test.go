package bench_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/device"
)

// onHost allocates memory of the device and calls use with it, so that plain
// readers write to the same kind of memory as loaders.
func onHost(host device.Device, bytes int64, use func(b []byte) (time.Duration, error)) (time.Duration, error) {
	m, err := host.Allocate(bytes)
	if err != nil {
		return 0, err
	}
	took, err := use(m.(device.Addressable).Bytes())
	return took, errors.Join(err, m.Free())
}

// preads reads a file with plain system calls, none of the program's code.
func preads(path string, buffer []byte, threads int, request int64) (time.Duration, error) {
	fd, size, err := openDirect(path)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	begun := time.Now()
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			for {
				at := (next.Add(1) - 1) * request
				if at >= size {
					return
				}
				want := min(request, size-at)
				if n, err := unix.Pread(fd, buffer[at:at+(want+4095)/4096*4096], at); err != nil || int64(n) != want {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if failed.Load() > 0 {
		return 0, fmt.Errorf("%d reads of %s failed", failed.Load(), path)
	}
	return time.Since(begun), nil
}

func openDirect(path string) (fd int, size int64, err error) {
	fd, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return 0, 0, errors.Join(err, unix.Close(fd))
	}
	return fd, stat.Size, nil
}

// memcpy copies bytes to the device on all CPUs.
func memcpy(to, from []byte, bytes int64) time.Duration {
	begun := time.Now()
	const part = 4 << 20
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for {
				at := (next.Add(1) - 1) * part
				if at >= bytes {
					return
				}
				n := min(part, bytes-at)
				source := at % (int64(len(from)) - part + 1)
				copy(to[at:at+n], from[source:source+n])
			}
		})
	}
	wg.Wait()
	return time.Since(begun)
}

// storeTechnique reproduces ServerlessLLM's store on the host, since the store
// itself needs a GPU: four threads read chunks of 16 MiB with O_DIRECT into a pool
// of page-locked memory in ordinary pages, and one thread copies them to the
// device in order, each as soon as it has been read.
type storeTechnique struct{ pool []byte }

const storeChunk = 16 << 20

func newStoreTechnique(bytes int64) (*storeTechnique, error) {
	bytes = (bytes + storeChunk - 1) / storeChunk * storeChunk
	b, err := unix.Mmap(-1, 0, int(bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	_ = unix.Mlock(b)
	return &storeTechnique{b}, nil
}

func (s *storeTechnique) close() error { return unix.Munmap(s.pool) }

func (s *storeTechnique) cold(path string, to []byte) (time.Duration, error) {
	begun := time.Now()
	fd, size, err := openDirect(path)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	chunks := (size + storeChunk - 1) / storeChunk
	ready := make([]chan struct{}, chunks)
	for i := range ready {
		ready[i] = make(chan struct{})
	}
	var next atomic.Int64
	var g errgroup.Group
	for range 4 {
		g.Go(func() error {
			for {
				i := next.Add(1) - 1
				if i >= chunks {
					return nil
				}
				if _, err := unix.Pread(fd, s.pool[i*storeChunk:(i+1)*storeChunk], i*storeChunk); err != nil {
					return err
				}
				close(ready[i])
			}
		})
	}
	failed := make(chan error, 1)
	go func() { failed <- g.Wait() }()
	for i := range chunks {
		select {
		case <-ready[i]:
		case err := <-failed:
			if err != nil {
				return 0, err
			}
			failed <- nil
			<-ready[i]
		}
		copy(to[i*storeChunk:min((i+1)*storeChunk, size)], s.pool[i*storeChunk:])
	}
	return time.Since(begun), nil
}

func (s *storeTechnique) cached(size int64, to []byte) time.Duration {
	begun := time.Now()
	for at := int64(0); at < size; at += storeChunk {
		copy(to[at:min(at+storeChunk, size)], s.pool[at:])
	}
	return time.Since(begun)
}
