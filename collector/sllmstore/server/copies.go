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

// copyPiece is a part of a model and where it goes. from counts over the
// partitions laid end to end.
type copyPiece struct {
	from, bytes int64
	to          int64
	memory      int // in the request's memories
}

// leadsTo says that q goes on where p ends, here and there.
func (p copyPiece) leadsTo(q copyPiece) bool {
	return p.memory == q.memory && p.to+p.bytes == q.to && p.from+p.bytes == q.from
}

// longestPiece bounds a piece, so that those that a range has a share in are
// found without looking at all before it.
const longestPiece = 64 << 20

// copies are the pieces of a request, in the order of where they come from, and
// the memories that they go to.
type copies struct {
	pieces   []copyPiece
	memories []device.Memory
	giveBack []func() // each of them
}

// target is a client's memory before it is opened.
type target struct {
	device string
	handle []byte
}

// parseCopies holds a request's copy lists against a model of so many bytes.
// Where the memories end is not known yet.
func (s *Server) parseCopies(r *storagepb.LoadModelRequest, total int64) (pieces []copyPiece, targets []target, err error) {
	if len(r.GetChunks()) == 0 {
		return nil, nil, status.Error(codes.InvalidArgument, "a load to a GPU has no chunks to copy")
	}
	count := 0
	for uuid, list := range r.GetChunks() {
		if s.devices[uuid] == nil {
			return nil, nil, status.Errorf(codes.NotFound, "no device %.80q here", uuid)
		}
		handles := r.GetHandles()[uuid].GetHandles()
		if len(handles) == 0 {
			return nil, nil, status.Errorf(codes.InvalidArgument, "device %s has chunks and no handle", uuid)
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
			return nil, nil, status.Errorf(codes.InvalidArgument, "device %.80q has handles and no chunks", uuid)
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

// arrange refuses pieces that go to the same place, joins those that follow
// each other at both ends, cuts long ones, and orders them by where they come
// from.
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
		for p.bytes > longestPiece {
			cut = append(cut, copyPiece{p.from, longestPiece, p.to, p.memory})
			p.from, p.to, p.bytes = p.from+longestPiece, p.to+longestPiece, p.bytes-longestPiece
		}
		cut = append(cut, p)
	}
	slices.SortFunc(cut, func(a, b copyPiece) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.memory, b.memory), cmp.Compare(a.to, b.to))
	})
	return cut, nil
}

// openCopies opens the memories, and holds the pieces against their sizes.
func (s *Server) openCopies(ctx context.Context, pieces []copyPiece, targets []target) (*copies, error) {
	c := &copies{pieces: pieces}
	for _, t := range targets {
		m, giveBack, err := s.memory(ctx, t)
		if err != nil {
			c.free()
			return nil, status.Errorf(codes.InvalidArgument, "device %s: %v", t.device, err)
		}
		c.memories, c.giveBack = append(c.memories, m), append(c.giveBack, giveBack)
	}
	for _, p := range pieces {
		if sized, ok := c.memories[p.memory].(device.Sized); ok && p.to+p.bytes > sized.Size() {
			c.free()
			return nil, status.Errorf(codes.InvalidArgument, "a chunk ends at byte %d of a handle's memory of %d", p.to+p.bytes, sized.Size())
		}
	}
	return c, nil
}

// free gives the memories back.
func (c *copies) free() {
	for _, giveBack := range c.giveBack {
		giveBack()
	}
	c.memories, c.giveBack = nil, nil
}

// destination is the memories together. bases are where the model's partitions
// begin, laid end to end.
func (c *copies) destination(bases []int64) pool.Destination {
	deliver := func(put func(m device.Memory, to int64, b []byte) error) pool.Deliver {
		return func(file int, offset int64, b []byte) error { return c.copy(bases[file]+offset, b, put) }
	}
	to := pool.Destination{Write: deliver(device.Memory.Write), Sync: c.sync}
	if !slices.ContainsFunc(c.memories, func(m device.Memory) bool { _, ok := m.(device.Queued); return !ok }) {
		to.Begin = deliver(func(m device.Memory, to int64, b []byte) error { return m.(device.Queued).Begin(to, b) })
	}
	return to
}

// copy puts what lies between two places of the model, whose bytes are b,
// wherever it belongs, in stretches as long as they can be.
func (c *copies) copy(from int64, b []byte, put func(m device.Memory, to int64, b []byte) error) error {
	end := from + int64(len(b))
	first := sort.Search(len(c.pieces), func(i int) bool { return c.pieces[i].from > from-longestPiece })
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

// sync returns when everything is readable where it was copied to, or nothing is
// under way any more.
func (c *copies) sync() (err error) {
	for _, m := range c.memories {
		if syncErr := m.Sync(); err == nil {
			err = syncErr
		}
	}
	return err
}
