package server

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sort"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/pool"
	"github.com/sllmq/sllmq/collector/sllmstore/storagepb"
)

// copyPiece is a part of a model and where it goes.
type copyPiece struct {
	from   int64 // offset in the partitions laid end to end
	bytes  int64
	to     int64 // offset in the memory
	memory int   // index in the request's memories
}

// leadsTo reports whether q continues p at both ends.
func (p copyPiece) leadsTo(q copyPiece) bool {
	return p.memory == q.memory && p.to+p.bytes == q.to && p.from+p.bytes == q.from
}

// maxPiece bounds a piece's length, so that the pieces that overlap a range can be
// found by binary search.
const maxPiece = 64 << 20

// copies is a request's copy list: the pieces, ordered by where they come from,
// and the memories that they go to.
type copies struct {
	pieces   []copyPiece
	memories []device.Memory
	release  []func() // of the memories
}

// target identifies memory of a client.
type target struct {
	device string
	handle []byte
}

// parseCopies checks a request's copy lists against a model of total bytes. The
// memories' sizes are not known yet.
func (s *Server) parseCopies(r *storagepb.LoadModelRequest, total int64) (pieces []copyPiece, targets []target, err error) {
	if len(r.GetChunks()) == 0 {
		return nil, nil, status.Error(codes.InvalidArgument, "a load to a GPU has no chunks to copy")
	}
	count := 0
	for uuid, list := range r.GetChunks() {
		if s.devices[uuid] == nil {
			return nil, nil, status.Errorf(codes.NotFound, "there is no device %.80q", uuid)
		}
		handles := r.GetHandles()[uuid].GetHandles()
		if len(handles) == 0 {
			return nil, nil, status.Errorf(codes.InvalidArgument, "device %s has chunks but no handle", uuid)
		}
		first := len(targets)
		for _, h := range handles {
			targets = append(targets, target{uuid, h.GetCudaIpcHandle()})
		}
		if count += len(list.GetChunks()); count > maxChunks || len(targets) > maxHandles {
			return nil, nil, status.Errorf(codes.InvalidArgument, "more than %d chunks or %d handles in one request", maxChunks, maxHandles)
		}
		for i, c := range list.GetChunks() {
			p, err := parseChunk(c, total)
			if err == nil && c.GetHandleIdx() >= uint64(len(handles)) {
				err = status.Errorf(codes.InvalidArgument, "handle_idx %d of %d handles", c.GetHandleIdx(), len(handles))
			}
			if err != nil {
				return nil, nil, status.Errorf(status.Code(err), "chunk %d of device %s: %s", i, uuid, status.Convert(err).Message())
			}
			if p.bytes > 0 {
				p.memory = first + int(c.GetHandleIdx())
				pieces = append(pieces, p)
			}
		}
	}
	for uuid := range r.GetHandles() {
		if r.GetChunks()[uuid] == nil {
			return nil, nil, status.Errorf(codes.InvalidArgument, "device %.80q has handles but no chunks", uuid)
		}
	}
	pieces, err = arrange(pieces)
	return pieces, targets, err
}

func parseChunk(c *storagepb.MemCopyChunk, total int64) (copyPiece, error) {
	from, size, to := c.GetSrcOffset(), c.GetSize(), c.GetDstOffset()
	if from > uint64(total) || size > uint64(total)-from {
		return copyPiece{}, status.Errorf(codes.InvalidArgument, "src_offset %d and size %d reach past the model's end at %d", from, size, total)
	}
	if to > math.MaxInt64-size {
		return copyPiece{}, status.Errorf(codes.InvalidArgument, "dst_offset %d is past any memory's end", to)
	}
	return copyPiece{from: int64(from), bytes: int64(size), to: int64(to)}, nil
}

// arrange joins pieces that continue each other at both ends, cuts long ones and
// orders them by where they come from. Pieces with overlapping destinations are
// an error.
func arrange(pieces []copyPiece) ([]copyPiece, error) {
	slices.SortFunc(pieces, func(a, b copyPiece) int { return cmp.Or(cmp.Compare(a.memory, b.memory), cmp.Compare(a.to, b.to)) })
	var joined []copyPiece
	for _, p := range pieces {
		if n := len(joined); n > 0 && joined[n-1].memory == p.memory {
			last := &joined[n-1]
			if p.to < last.to+last.bytes {
				return nil, status.Errorf(codes.InvalidArgument, "two chunks go to byte %d of one handle's memory", p.to)
			}
			if last.leadsTo(p) {
				last.bytes += p.bytes
				continue
			}
		}
		joined = append(joined, p)
	}
	var cut []copyPiece
	for _, p := range joined {
		for p.bytes > maxPiece {
			cut = append(cut, copyPiece{p.from, maxPiece, p.to, p.memory})
			p.from, p.to, p.bytes = p.from+maxPiece, p.to+maxPiece, p.bytes-maxPiece
		}
		cut = append(cut, p)
	}
	slices.SortFunc(cut, func(a, b copyPiece) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.memory, b.memory), cmp.Compare(a.to, b.to))
	})
	return cut, nil
}

// openCopies opens the memories and checks the pieces against their sizes.
func (s *Server) openCopies(ctx context.Context, pieces []copyPiece, targets []target) (*copies, error) {
	c := &copies{pieces: pieces}
	for _, t := range targets {
		m, release, err := s.memory(ctx, t)
		if err != nil {
			c.free()
			return nil, status.Errorf(codes.InvalidArgument, "device %s: %v", t.device, err)
		}
		c.memories, c.release = append(c.memories, m), append(c.release, release)
	}
	for _, p := range pieces {
		if sized, ok := c.memories[p.memory].(device.Sized); ok && p.to+p.bytes > sized.Size() {
			c.free()
			return nil, status.Errorf(codes.InvalidArgument, "a chunk ends at byte %d of a handle's memory of %d", p.to+p.bytes, sized.Size())
		}
	}
	return c, nil
}

// free releases the memories.
func (c *copies) free() {
	for _, release := range c.release {
		release()
	}
	c.memories, c.release = nil, nil
}

// destination returns the memories as one destination. bases are the offsets of
// the model's partitions laid end to end.
func (c *copies) destination(bases []int64) pool.Destination {
	deliver := func(put func(m device.Memory, to int64, b []byte) error) pool.Deliver {
		return func(file int, offset int64, b []byte) error { return c.scatter(bases[file]+offset, b, put) }
	}
	to := pool.Destination{Write: deliver(device.Memory.Write), Sync: c.sync}
	if !slices.ContainsFunc(c.memories, func(m device.Memory) bool { _, ok := m.(device.Queued); return !ok }) {
		to.Begin = deliver(func(m device.Memory, to int64, b []byte) error { return m.(device.Queued).Begin(to, b) })
	}
	return to
}

// scatter puts b, the model's bytes from the offset from on, wherever its pieces
// belong, in as few calls of put as possible.
func (c *copies) scatter(from int64, b []byte, put func(m device.Memory, to int64, b []byte) error) error {
	end := from + int64(len(b))
	first := sort.Search(len(c.pieces), func(i int) bool { return c.pieces[i].from > from-maxPiece })
	var next copyPiece
	flush := func() error {
		if next.bytes == 0 {
			return nil
		}
		return put(c.memories[next.memory], next.to, b[next.from-from:next.from-from+next.bytes])
	}
	for _, p := range c.pieces[first:] {
		if p.from >= end {
			break
		}
		begin, stop := max(from, p.from), min(end, p.from+p.bytes)
		if begin >= stop {
			continue
		}
		p = copyPiece{from: begin, bytes: stop - begin, to: p.to + begin - p.from, memory: p.memory}
		if next.leadsTo(p) {
			next.bytes += p.bytes
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		next = p
	}
	return flush()
}

// sync returns when every copy has ended, and the first error.
func (c *copies) sync() (err error) {
	for _, m := range c.memories {
		if syncErr := m.Sync(); err == nil {
			err = syncErr
		}
	}
	return err
}
