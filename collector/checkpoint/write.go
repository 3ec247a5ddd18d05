package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// blockBytes is how many bytes are filled, summed and written at a time: a
// multiple of any device's block size, and large enough for its full rate.
const blockBytes = 4 << 20

// directAlign is the alignment of a direct write's offset and length.
const directAlign = 4096

// writesInFlight keeps the device busy while the next block is submitted.
const writesInFlight = 2

// block is a part of a file on its way through the pipeline.
type block struct {
	file   int
	offset int64
	buf    []byte        // as long as the part
	filled chan struct{} // closed when buf has been filled
}

// pipeline writes the tensor files of a replica. One goroutine per CPU fills
// blocks. Another sums them in order, since a checksum covers a tensor's bytes
// from first to last. More goroutines write them past the page cache, nearly in
// order. The pipeline uses no memory beyond its buffers.
type pipeline struct {
	files    []layoutFile
	out      []output
	src      source
	progress func(int64)
	sums     map[int]uint64 // by the tensor's number

	free    chan []byte
	todo    chan *block // to be filled
	ordered chan *block // to be summed, in the order of the files
	summed  chan *block // to be written
}

// output is a file open twice. direct is nil if the filesystem has no O_DIRECT;
// it is not used for the tail, which is shorter than a block of the device.
type output struct{ plain, direct *os.File }

// writeTensors writes files into dir and returns the checksums of the tensors,
// taken before writing, by the tensor's number.
func writeTensors(ctx context.Context, dir string, files []layoutFile, src source, progress func(int64)) (map[int]uint64, error) {
	fillers := runtime.GOMAXPROCS(0)
	buffers := 2*fillers + writesInFlight
	// Mapped, because direct writes need page-aligned memory.
	memory, err := unix.Mmap(-1, 0, buffers*blockBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("allocate %d bytes of buffers: %w", buffers*blockBytes, err)
	}
	defer unix.Munmap(memory)
	p := &pipeline{
		files: files, src: src, progress: progress, sums: make(map[int]uint64),
		free: make(chan []byte, buffers), todo: make(chan *block),
		ordered: make(chan *block, buffers), summed: make(chan *block, buffers),
	}
	for i := range buffers {
		p.free <- memory[i*blockBytes : (i+1)*blockBytes]
	}
	if err := p.create(dir); err != nil {
		p.abandon()
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.cut(ctx) })
	for range fillers {
		g.Go(func() error { return p.fill(ctx) })
	}
	g.Go(func() error { return p.sum(ctx) })
	for range writesInFlight {
		g.Go(func() error { return p.write(ctx) })
	}
	if err := g.Wait(); err != nil {
		p.abandon()
		return nil, fmt.Errorf("fill %s: %w", dir, err)
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return p.sums, nil
}

// create creates every file and allocates its space.
func (p *pipeline) create(dir string) error {
	for _, f := range p.files {
		path := filepath.Join(dir, f.name)
		plain, err := create(path, f.size)
		if err != nil {
			return err
		}
		direct, err := os.OpenFile(path, os.O_WRONLY|unix.O_DIRECT, 0)
		if err != nil {
			direct = nil // write through the page cache instead
		}
		p.out = append(p.out, output{plain, direct})
	}
	return nil
}

// finish syncs and closes the files.
func (p *pipeline) finish() error {
	var errs []error
	for _, o := range p.out {
		if o.direct != nil {
			errs = append(errs, o.direct.Close())
		}
		errs = append(errs, finish(o.plain))
	}
	return errors.Join(errs...)
}

// abandon closes the files, which the caller removes.
func (p *pipeline) abandon() {
	for _, o := range p.out {
		if o.direct != nil {
			o.direct.Close()
		}
		o.plain.Close()
	}
}

// cut divides the files into blocks and submits them in order.
func (p *pipeline) cut(ctx context.Context) error {
	defer close(p.todo)
	defer close(p.ordered)
	for i, f := range p.files {
		for at := int64(0); at < f.size; at += blockBytes {
			var buf []byte
			select {
			case buf = <-p.free:
			case <-ctx.Done():
				return ctx.Err()
			}
			b := &block{file: i, offset: at, buf: buf[:min(blockBytes, f.size-at)], filled: make(chan struct{})}
			p.ordered <- b // has room for every buffer
			select {
			case p.todo <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// fill fills blocks from the source, in any order.
func (p *pipeline) fill(ctx context.Context) error {
	for b := range p.todo {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := p.files[b.file]
		done := copyHead(b, f.head)
		err := f.overlaps(b, func(t placement, part []byte, off int64) error {
			begin := int(t.offset + off - b.offset)
			clear(b.buf[done:begin])
			done = begin + len(part)
			return p.src.fill(part, t.tensor, off)
		})
		if err != nil {
			return err
		}
		clear(b.buf[done:])
		close(b.filled)
	}
	return nil
}

// copyHead copies the part of the file's head that falls into the block, and
// returns its length.
func copyHead(b *block, head []byte) int {
	if b.offset >= int64(len(head)) {
		return 0
	}
	return copy(b.buf, head[b.offset:])
}

// overlaps calls visit with each part of the block that a tensor covers, and
// the part's offset in the tensor.
func (f layoutFile) overlaps(b *block, visit func(t placement, part []byte, off int64) error) error {
	end := b.offset + int64(len(b.buf))
	first := sort.Search(len(f.tensors), func(i int) bool { return f.tensors[i].offset+f.tensors[i].size > b.offset })
	for _, t := range f.tensors[first:] {
		if t.offset >= end {
			break
		}
		if t.size == 0 {
			continue
		}
		from, to := max(t.offset, b.offset), min(t.offset+t.size, end)
		if err := visit(t, b.buf[from-b.offset:to-b.offset], from-t.offset); err != nil {
			return err
		}
	}
	return nil
}

// sum computes the tensors' checksums, block after block.
func (p *pipeline) sum(ctx context.Context) error {
	defer close(p.summed)
	for _, f := range p.files {
		for _, t := range f.tensors {
			p.sums[t.tensor] = Checksum(nil) // final for empty tensors
		}
	}
	d := xxhash.New()
	for b := range p.ordered {
		select {
		case <-b.filled:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := p.files[b.file].overlaps(b, func(t placement, part []byte, off int64) error {
			if off == 0 {
				d.Reset()
			}
			if _, err := d.Write(part); err != nil {
				return err
			}
			if off+int64(len(part)) == t.size {
				p.sums[t.tensor] = d.Sum64()
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.summed <- b // has room for every buffer
	}
	return nil
}

// write writes blocks and frees their buffers.
func (p *pipeline) write(ctx context.Context) error {
	for b := range p.summed {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.out[b.file].writeAt(b.buf, b.offset); err != nil {
			return err
		}
		p.progress(int64(len(b.buf)))
		p.free <- b.buf[:blockBytes]
	}
	return nil
}

// writeAt writes whole device blocks directly and the rest through the page
// cache.
func (o output) writeAt(b []byte, offset int64) error {
	whole := len(b) / directAlign * directAlign
	if o.direct != nil && whole > 0 {
		_, err := o.direct.WriteAt(b[:whole], offset)
		switch {
		case err == nil:
			b, offset = b[whole:], offset+int64(whole)
		case errors.Is(err, unix.EINVAL): // the device needs a larger alignment
		default:
			return writeError(o.plain.Name(), cause(err))
		}
	}
	if len(b) == 0 {
		return nil
	}
	if _, err := o.plain.WriteAt(b, offset); err != nil {
		return writeError(o.plain.Name(), cause(err))
	}
	return nil
}
