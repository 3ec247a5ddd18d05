package pool

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/stage"
)

// Deliver brings bytes of a checkpoint to where they belong: b lies at offset
// of file number file. It is called from several goroutines.
type Deliver func(file int, offset int64, b []byte) error

// Loaded says how a load went.
type Loaded struct {
	Hit      bool  // the model lay in the pool, read from these very files
	Direct   bool  // every read went past the page cache; false for a hit
	Streamed bool  // the model is larger than the pool and did not stay
	Evicted  int64 // bytes of chunks of other models that made way

	Depth        int   // requests under way at once, of reading or, for a hit, of copying
	RequestBytes int64 // of the largest
}

// Load brings every byte of c's files into the pool, if they are not there as
// the files are now, and each request to deliver as soon as it is read: while one goroutine
// delivers, others read. It returns when the last request is delivered. A stage
// evict says when other models made way, and how much of the pool was theirs.
func (p *Pool) Load(ctx context.Context, c *checkpoint.Checkpoint, clock *stage.Timeline, deliver Deliver) (Loaded, error) {
	requests, chunks := p.cut(c)
	queue := min(p.queue, len(requests))
	streamed := p.stream && chunks > p.capacity
	if streamed {
		// A chunk for each read under way is all it needs.
		queue = min(queue, p.capacity)
		chunks = queue
	}
	begun := clock.Elapsed()
	m, hit, evicted, err := p.acquire(c, chunks)
	if evicted > 0 {
		clock.Add("evict", begun, evicted)
	}
	if err != nil {
		return Loaded{}, err
	}
	loaded := Loaded{Hit: hit, Streamed: streamed, Evicted: evicted, Depth: queue}
	for _, r := range requests {
		loaded.RequestBytes = max(loaded.RequestBytes, r.bytes)
	}
	var files directio.Files
	if !loaded.Hit {
		files, err = openFiles(c, clock)
	}
	if err == nil {
		loaded.Direct = !loaded.Hit && files.Direct()
		err = (&filling{requests, m.chunks, streamed, files, clock, clock.Elapsed(), deliver}).run(ctx, queue)
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

// request is one read: bytes of a file, and where in the model's chunks they
// lie.
type request struct {
	file   int
	offset int64
	bytes  int64
	chunk  int
	within int64 // bytes into the chunk
}

// cut divides the files into chunks, of which none spans two files, and chunks
// into requests, whose size follows from what is to be read and not from the
// chunk's.
func (p *Pool) cut(c *checkpoint.Checkpoint) (requests []request, chunks int) {
	most := min(cmp.Or(p.request, min(directio.RequestBytes(c.FileBytes(), p.queue), mostRequest)), p.chunk)
	count := int64(0)
	for _, f := range c.Files {
		count += f.Size/p.chunk*parts(p.chunk, most) + parts(f.Size%p.chunk, most)
	}
	requests = make([]request, 0, count)
	for i, f := range c.Files {
		for begin := int64(0); begin < f.Size; begin += p.chunk {
			end := min(begin+p.chunk, f.Size)
			for at := begin; at < end; at += most {
				requests = append(requests, request{i, at, min(most, end-at), chunks, at - begin})
			}
			chunks++
		}
	}
	return requests, chunks
}

// parts is how many parts of at most so many bytes there are in bytes.
func parts(bytes, most int64) int64 { return (bytes + most - 1) / most }

func openFiles(c *checkpoint.Checkpoint, clock *stage.Timeline) (directio.Files, error) {
	end := clock.Start("open")
	defer func() { end(0) }()
	paths, sizes := make([]string, len(c.Files)), make([]int64, len(c.Files))
	for i, f := range c.Files {
		paths[i], sizes[i] = c.Path(i), f.Size
	}
	return directio.OpenAll(paths, sizes, true)
}

// filling is a load under way.
type filling struct {
	requests []request
	chunks   [][]byte
	streamed bool           // chunk k belongs to goroutine k, and not to a part of the model
	files    directio.Files // none: a hit
	clock    *stage.Timeline
	queued   time.Duration // when the requests were handed to the queue, all at once
	deliver  Deliver
}

// run has so many requests under way until all are done.
func (f *filling) run(ctx context.Context, queue int) error {
	return each(ctx, len(f.requests), queue, func(_ context.Context, i, k int) error { return f.bring(f.requests[i], k) })
}

// each does something for every number below n, on so many goroutines. Each of
// them, k, takes the next number that nobody has, so that a slow one holds up no
// other.
func each(ctx context.Context, n, queue int, do func(ctx context.Context, i, k int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for k := range queue {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(ctx, i, k); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// bring reads a request, unless it is there, and delivers it.
func (f *filling) bring(r request, k int) error {
	chunk, within := r.chunk, r.within
	if f.streamed {
		chunk, within = k, 0
	}
	b := f.chunks[chunk][within : within+r.bytes]
	begun := f.clock.Elapsed()
	read := begun
	if f.files != nil {
		n, err := f.files[r.file].ReadAt(b, r.offset)
		f.clock.Add("read", begun, int64(n))
		if err != nil {
			return err
		}
		read = f.clock.Elapsed()
	}
	err := f.deliver(r.file, r.offset, b)
	f.clock.Add("copy", read, r.bytes)
	f.clock.Chunk(stage.Chunk{File: r.file, Offset: r.offset, Bytes: r.bytes, Thread: k, Queued: f.queued, Start: begun, End: read, Copied: f.clock.Elapsed()})
	if err != nil {
		return fmt.Errorf("copy to the device: %w", err)
	}
	return nil
}
