package pool

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/stage"
	"github.com/sllmq/sllmq/collector/workqueue"
)

// Deliver puts bytes of a checkpoint where they belong: b is what lies at offset
// of the file with that number. It is called from several goroutines.
type Deliver func(file int, offset int64, b []byte) error

// Opener opens a checkpoint's files, in their order.
type Opener func() (directio.Files, error)

// Loaded describes a load.
type Loaded struct {
	Hit      bool  // the model was in the pool, read from these very files
	Direct   bool  // every read bypassed the page cache; false for a hit
	Streamed bool  // the model is larger than the pool and did not stay
	Evicted  int64 // bytes of chunks of other models that were evicted

	Depth        int   // requests in flight, of reading or, for a hit, of copying
	RequestBytes int64 // of the largest request
}

// Load delivers every byte of c's files. Unless the pool has the model with its
// files as they are now, it opens them with open and reads them into the pool,
// and delivers each request as soon as it is read: while one goroutine delivers,
// others read. Load returns when the last request has been delivered. If other
// models were evicted, a stage "evict" has the time and the bytes.
func (p *Pool) Load(ctx context.Context, c *checkpoint.Checkpoint, open Opener, clock *stage.Timeline, deliver Deliver) (Loaded, error) {
	requests, chunks := p.cut(c)
	depth := min(p.depth, len(requests))
	streamed := p.stream && chunks > p.capacity
	if streamed {
		// One chunk for each read in flight is enough.
		depth = min(depth, p.capacity)
		chunks = depth
	}
	begun := clock.Elapsed()
	m, hit, evicted, err := p.acquire(c, chunks)
	if evicted > 0 {
		clock.Add("evict", begun, evicted)
	}
	if err != nil {
		return Loaded{}, err
	}
	loaded := Loaded{Hit: hit, Streamed: streamed, Evicted: evicted, Depth: depth}
	for _, r := range requests {
		loaded.RequestBytes = max(loaded.RequestBytes, r.bytes)
	}
	var files directio.Files
	if !loaded.Hit {
		files, err = open()
	}
	if err == nil {
		loaded.Direct = !loaded.Hit && files.Direct()
		l := &load{requests, m.chunks, streamed, files, clock, clock.Elapsed(), deliver}
		err = workqueue.Run(ctx, len(requests), depth, l.carryOut)
	}
	if closeErr := files.Close(); err == nil {
		err = closeErr
	}
	p.release(m, err == nil && !streamed)
	if err != nil {
		return Loaded{}, err
	}
	return loaded, nil
}

// readRequest is one read: a range of a file, and where in the model's chunks it
// goes.
type readRequest struct {
	file   int
	offset int64
	bytes  int64
	chunk  int
	within int64 // offset in the chunk
}

// cut divides the files into chunks, none of which spans two files, and the
// chunks into requests, whose size depends on what there is to read and not on
// the chunk's size.
func (p *Pool) cut(c *checkpoint.Checkpoint) (requests []readRequest, chunks int) {
	most := min(cmp.Or(p.request, min(directio.RequestBytes(c.FileBytes(), p.depth), maxRequest)), p.chunk)
	count := int64(0)
	for _, f := range c.Files {
		count += f.Size/p.chunk*parts(p.chunk, most) + parts(f.Size%p.chunk, most)
	}
	requests = make([]readRequest, 0, count)
	for i, f := range c.Files {
		for begin := int64(0); begin < f.Size; begin += p.chunk {
			end := min(begin+p.chunk, f.Size)
			for at := begin; at < end; at += most {
				requests = append(requests, readRequest{i, at, min(most, end-at), chunks, at - begin})
			}
			chunks++
		}
	}
	return requests, chunks
}

// parts returns how many parts of at most most bytes there are in bytes.
func parts(bytes, most int64) int64 { return (bytes + most - 1) / most }

// load is a Load in progress.
type load struct {
	requests []readRequest
	chunks   [][]byte
	streamed bool           // chunk k belongs to worker k, not to a part of the model
	files    directio.Files // nil: a hit
	clock    *stage.Timeline
	queued   time.Duration // when all requests entered the queue
	deliver  Deliver
}

// carryOut reads request i, unless its bytes are in the pool, and delivers it.
func (l *load) carryOut(_ context.Context, i, worker int) error {
	r := l.requests[i]
	chunk, within := r.chunk, r.within
	if l.streamed {
		chunk, within = worker, 0
	}
	b := l.chunks[chunk][within : within+r.bytes]
	begun := l.clock.Elapsed()
	read := begun
	if l.files != nil {
		n, err := l.files[r.file].ReadAt(b, r.offset)
		l.clock.Add("read", begun, int64(n))
		if err != nil {
			return err
		}
		read = l.clock.Elapsed()
	}
	err := l.deliver(r.file, r.offset, b)
	l.clock.Add("copy", read, r.bytes)
	l.clock.Chunk(stage.Chunk{File: r.file, Offset: r.offset, Bytes: r.bytes, Thread: worker, Queued: l.queued, Start: begun, End: read, Copied: l.clock.Elapsed()})
	if err != nil {
		return fmt.Errorf("copy to the device: %w", err)
	}
	return nil
}
