package loader

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/stage"
)

// extent is the part of a file that holds its tensors, in whole blocks, and
// where it lies on the device. Its end may be past the file's.
type extent struct {
	begin, end int64
	place      int64
}

// tensorExtents finds each file's extent, lays them end to end, and returns
// the whole length. Offsets on the device and in the file agree modulo a
// block, which O_DIRECT wants; headers, which are read already, stay behind but
// for the last block.
func tensorExtents(c *checkpoint.Checkpoint) (extents []extent, total int64) {
	extents = make([]extent, len(c.Files))
	for _, t := range c.Tensors { // in the order of their places
		if t.Size == 0 {
			continue
		}
		e := &extents[t.File]
		if e.end == 0 {
			e.begin = t.Offset / directio.Align * directio.Align
		}
		e.end = max(e.end, (t.Offset+t.Size+directio.Align-1)/directio.Align*directio.Align)
	}
	for i := range extents {
		extents[i].place = total
		total += extents[i].end - extents[i].begin
	}
	return extents, total
}

// readRequest is one read: bytes of a file, and where on the device they go.
type readRequest struct {
	file          int
	offset, bytes int64
	place         int64
	queued        time.Duration // when it was handed to the queue, since the load began
}

// cutExtents divides the extents into requests of at most so many bytes.
func cutExtents(extents []extent, most int64) []readRequest {
	count := int64(0)
	for _, e := range extents {
		count += (e.end - e.begin + most - 1) / most
	}
	requests := make([]readRequest, 0, count)
	for i, e := range extents {
		for at := e.begin; at < e.end; at += most {
			requests = append(requests, readRequest{file: i, offset: at, bytes: min(most, e.end-at), place: e.place + at - e.begin})
		}
	}
	return requests
}

// read fills b, which has the request's bytes or reaches past the file's end,
// and returns how many bytes that were. k is its place in the queue.
func (r readRequest) read(files directio.Files, b []byte, k int, clock *stage.Timeline) (stage.Chunk, error) {
	begun := clock.Elapsed()
	n, err := files[r.file].ReadAt(b, r.offset)
	clock.Add("read", begun, int64(n))
	ended := clock.Elapsed()
	return stage.Chunk{File: r.file, Offset: r.offset, Bytes: int64(n), Thread: k, Queued: r.queued, Start: begun, End: ended, Copied: ended}, err
}

// bringer carries a request out; k is its place in the queue.
type bringer func(r readRequest, k int) error

// carryOut has so many requests under way at once until all are done. All are
// in the queue from the beginning; whoever is ready takes the next one, so that a
// slow one holds up no other.
func carryOut(ctx context.Context, requests []readRequest, queue int, clock *stage.Timeline, bring bringer) error {
	queued := clock.Elapsed()
	for i := range requests {
		requests[i].queued = queued
	}
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for k := range min(queue, len(requests)) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := bring(requests[i], k); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// openFiles opens the files that hold tensors.
func openFiles(c *checkpoint.Checkpoint, direct bool, clock *stage.Timeline) (directio.Files, error) {
	end := clock.Start("open")
	defer func() { end(0) }()
	paths, sizes := make([]string, len(c.Files)), make([]int64, len(c.Files))
	for i, f := range c.Files {
		paths[i], sizes[i] = c.Path(i), f.Size
	}
	return directio.OpenAll(paths, sizes, direct)
}
