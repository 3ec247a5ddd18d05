package roofline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
)

// Setting is how files are read: each thread has one request in flight, so
// that the threads are the queue's depth.
type Setting struct {
	Threads int   `json:"threads"`
	IOBytes int64 `json:"io_bytes"`
}

// Storage reads files past the page cache, each byte once while there are
// bytes that were not read: a trial goes on where the one before it ended, so
// that no cache below the filesystem answers for it.
type Storage struct {
	files   []*directio.File
	sizes   []int64
	direct  bool
	buffers [][]byte // huge pages, through one read already
	next    position
}

// position is a place in the files laid end to end.
type position struct {
	file   int
	offset int64
}

// OpenStorage opens the files and takes memory for the largest setting. A
// buffer's first DMA may cost more than all that follow, so each is read into
// once before anything is measured.
func OpenStorage(paths []string, settings []Setting) (s *Storage, err error) {
	s = &Storage{direct: true}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return s, fmt.Errorf("measure the storage: %w", err)
		}
		if info.Size() < directio.Align {
			continue
		}
		f, err := directio.Open(path, info.Size(), true)
		if err != nil {
			return s, fmt.Errorf("measure the storage: %w", err)
		}
		s.files, s.sizes, s.direct = append(s.files, f), append(s.sizes, info.Size()), s.direct && f.Direct
	}
	if len(s.files) == 0 {
		return s, errors.New("measure the storage: there is no file to read")
	}
	threads, size := 0, int64(0)
	for _, setting := range settings {
		threads, size = max(threads, setting.Threads), max(size, setting.IOBytes)
	}
	for range threads {
		b, err := hostmem.Map(size)
		if err != nil {
			return s, fmt.Errorf("measure the storage: %w", err)
		}
		s.buffers = append(s.buffers, b)
		file := len(s.buffers) % len(s.files)
		if _, err := s.files[file].ReadAt(b[:min(size, s.sizes[file])], 0); err != nil {
			return s, fmt.Errorf("measure the storage: %w", err)
		}
	}
	return s, nil
}

// Read measures one setting, until it has read bytes or time is up. A request
// that was begun is waited for and counted.
func (s *Storage) Read(ctx context.Context, o Setting, bytes int64, limit time.Duration) (Measurement, error) {
	if o.Threads < 1 || o.Threads > len(s.buffers) || o.IOBytes < directio.Align || o.IOBytes%directio.Align != 0 || o.IOBytes > int64(len(s.buffers[0])) {
		return Measurement{}, fmt.Errorf("measure the storage with %d threads of %d bytes: not what it was opened for", o.Threads, o.IOBytes)
	}
	requests := s.take(o.IOBytes, bytes)
	var next, read atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	begun := time.Now()
	for i := range o.Threads {
		g.Go(func() error {
			for ctx.Err() == nil && time.Since(begun) < limit {
				at := next.Add(1) - 1
				if at >= int64(len(requests)) {
					return nil
				}
				r := requests[at]
				n, err := s.files[r.file].ReadAt(s.buffers[i][:o.IOBytes], r.offset)
				read.Add(int64(n))
				if err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	err := g.Wait()
	took := time.Since(begun)
	if err != nil {
		return Measurement{}, fmt.Errorf("measure the storage: %w", err)
	}
	method := "pread, O_DIRECT"
	if !s.direct {
		method = "pread, page cache"
	}
	return Measurement{Kind: StorageRead, Method: method, Threads: o.Threads, Depth: o.Threads, IOBytes: o.IOBytes, Bytes: read.Load(), Took: took}, nil
}

// take plans requests of size bytes each, for about so many bytes, from where
// the last trial ended.
func (s *Storage) take(size, bytes int64) []position {
	var requests []position
	for total := int64(0); total < bytes; total += size {
		if s.next.offset >= s.sizes[s.next.file] {
			s.next = position{(s.next.file + 1) % len(s.files), 0}
		}
		requests = append(requests, s.next)
		s.next.offset += size
	}
	return requests
}

// Close closes the files and gives the memory back.
func (s *Storage) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	for _, b := range s.buffers {
		errs = append(errs, hostmem.Unmap(b))
	}
	s.files, s.buffers = nil, nil
	return errors.Join(errs...)
}
