package loader

import (
	"context"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/stage"
	"github.com/sllmq/sllmq/collector/workqueue"
)

// extent is the part of a file that holds its tensors, in whole blocks, and its
// offset on the device. Its end may lie past the file's.
type extent struct {
	begin, end int64
	place      int64
}

// tensorExtents returns each file's extent, laid end to end on the device, and
// their total length. Offsets on the device and in the file agree modulo a
// block, as O_DIRECT requires. Headers, which have been read already, are left
// out except for their last block.
func tensorExtents(c *checkpoint.Checkpoint) (extents []extent, total int64) {
	extents = make([]extent, len(c.Files))
	for _, t := range c.Tensors { // by ascending offset
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

// readRequest is one read: a range of a file, and its offset on the device.
type readRequest struct {
	file          int
	offset, bytes int64
	place         int64
	queued        time.Duration // when it entered the queue, since the load began
}

// cutExtents divides the extents into requests of at most most bytes.
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

// read fills b, which has the request's length, from the request's file. Fewer
// bytes come back where the request reaches past the file's end.
func (r readRequest) read(files directio.Files, b []byte, worker int, clock *stage.Timeline) (stage.Chunk, error) {
	begun := clock.Elapsed()
	n, err := files[r.file].ReadAt(b, r.offset)
	clock.Add("read", begun, int64(n))
	ended := clock.Elapsed()
	return stage.Chunk{File: r.file, Offset: r.offset, Bytes: int64(n), Thread: worker, Queued: r.queued, Start: begun, End: ended, Copied: ended}, err
}

// carrier carries one request out: it reads the bytes and puts them in place.
type carrier func(r readRequest, worker int) error

// carryOut runs all requests, depth at a time. All of them enter the queue at
// once.
func carryOut(ctx context.Context, requests []readRequest, depth int, clock *stage.Timeline, carry carrier) error {
	queued := clock.Elapsed()
	for i := range requests {
		requests[i].queued = queued
	}
	return workqueue.Run(ctx, len(requests), depth, func(_ context.Context, i, worker int) error {
		return carry(requests[i], worker)
	})
}

// openFiles opens the checkpoint's files, past the page cache if direct is set
// and their filesystems allow it.
func openFiles(c *checkpoint.Checkpoint, direct bool, clock *stage.Timeline) (directio.Files, error) {
	end := clock.Start("open")
	defer func() { end(0) }()
	paths, sizes := make([]string, len(c.Files)), make([]int64, len(c.Files))
	for i, f := range c.Files {
		paths[i], sizes[i] = c.Path(i), f.Size
	}
	return directio.OpenAll(paths, sizes, direct)
}
