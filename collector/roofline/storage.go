package roofline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/workqueue"
)

// Setting is a way to read files. Each thread has one read in flight, so the
// number of threads is the queue depth.
type Setting struct {
	Threads int   `json:"threads"`
	IOBytes int64 `json:"io_bytes"`
}

// storage reads files past the page cache. Each trial continues where the last
// one ended, so that bytes are read a second time only when all have been read
// once: no cache below the filesystem answers for the storage.
type storage struct {
	files   directio.Files
	buffers [][]byte // huge pages that have been read into once
	next    position
}

// position is a place in the files laid end to end.
type position struct {
	file   int
	offset int64
}

// openStorage opens the files that have at least one block, and allocates buffers
// for the largest setting. A buffer's first DMA may take longer than all later
// ones, so each buffer is read into once before anything is measured.
func openStorage(ctx context.Context, paths []string, settings []Setting) (_ *storage, err error) {
	s := &storage{}
	defer func() {
		if err != nil {
			err = fmt.Errorf("measure storage: %w", errors.Join(err, s.close()))
		}
	}()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.Size() < directio.Align {
			continue
		}
		f, err := directio.Open(path, info.Size(), true)
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, f)
	}
	if len(s.files) == 0 {
		return nil, fmt.Errorf("no file has %d bytes or more", directio.Align)
	}
	threads, size := 0, int64(0)
	for _, setting := range settings {
		threads, size = max(threads, setting.Threads), max(size, setting.IOBytes)
	}
	for range threads {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := hostmem.Map(size)
		if err != nil {
			return nil, err
		}
		s.buffers = append(s.buffers, b)
		f := s.files[len(s.buffers)%len(s.files)]
		if _, err := f.ReadAt(b[:min(size, f.Size())], 0); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// read measures one setting, until about bytes have been read or limit has
// passed. Reads that have begun by then are waited for and counted.
func (s *storage) read(ctx context.Context, o Setting, bytes int64, limit time.Duration) (Measurement, error) {
	if o.Threads < 1 || o.Threads > len(s.buffers) || o.IOBytes < directio.Align || o.IOBytes%directio.Align != 0 || o.IOBytes > int64(len(s.buffers[0])) {
		return Measurement{}, fmt.Errorf("measure storage with %d threads and reads of %d bytes: reads must be a positive multiple of %d bytes, and no larger than those it was opened for", o.Threads, o.IOBytes, directio.Align)
	}
	positions := s.take(o.IOBytes, bytes)
	var read atomic.Int64
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begun := time.Now()
	err := workqueue.Run(limited, len(positions), o.Threads, func(_ context.Context, i, worker int) error {
		at := positions[i]
		n, err := s.files[at.file].ReadAt(s.buffers[worker][:o.IOBytes], at.offset)
		read.Add(int64(n))
		return err
	})
	took := time.Since(begun)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil // the trial's time is up
	}
	if err != nil {
		return Measurement{}, fmt.Errorf("measure storage: %w", err)
	}
	method := "pread, O_DIRECT"
	if !s.files.Direct() {
		method = "pread, page cache"
	}
	return Measurement{Kind: StorageRead, Method: method, Threads: o.Threads, Depth: o.Threads, IOBytes: o.IOBytes, Bytes: read.Load(), Took: took}, nil
}

// take returns where the next reads of size bytes begin, for about bytes in all,
// and moves on past them.
func (s *storage) take(size, bytes int64) []position {
	var list []position
	for total := int64(0); total < bytes; total += size {
		if s.next.offset >= s.files[s.next.file].Size() {
			s.next = position{(s.next.file + 1) % len(s.files), 0}
		}
		list = append(list, s.next)
		s.next.offset += size
	}
	return list
}

func (s *storage) close() error {
	errs := []error{s.files.Close()}
	for _, b := range s.buffers {
		errs = append(errs, hostmem.Unmap(b))
	}
	s.files, s.buffers = nil, nil
	return errors.Join(errs...)
}
