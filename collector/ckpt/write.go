package checkpoint

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// writeBlock is how many bytes are made, hashed and written at a time.
const writeBlock = 4 << 20

// write fills dir, which is there and empty, with a checkpoint: tensors stream
// from the source, several blocks ahead of the disk. It returns the checksum
// of every tensor as the source gave it. Everything is on the disk when it
// returns, and out of the page cache: what was just written is not to be found
// there by the first load.
func (l layout) write(ctx context.Context, dir string, src source, progress func(int64)) (map[string]uint64, error) {
	digests := map[string]uint64{}
	for _, f := range l.files {
		if err := f.write(ctx, filepath.Join(dir, f.name), src, digests, progress); err != nil {
			return nil, err
		}
	}
	return digests, l.writeSmall(dir)
}

func (l layout) writeSmall(dir string) error {
	for _, name := range slices.Sorted(maps.Keys(l.small)) {
		if err := writeWhole(filepath.Join(dir, name), l.small[name]); err != nil {
			return err
		}
	}
	return nil
}

func writeWhole(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return closeWith(f, err)
	}
	return finish(f)
}

// finish puts a file on the disk, forgets its pages and closes it.
func finish(f *os.File) error {
	if err := f.Sync(); err != nil {
		return closeWith(f, err)
	}
	// Only advice: a filesystem without a page cache has none to drop.
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	return f.Close()
}

// closeWith closes f on the way out with an error that says more.
func closeWith(f *os.File, err error) error {
	_ = f.Close()
	return err
}

// block is a part of a tensor, made when done is closed.
type block struct {
	item   int
	offset int64
	bytes  []byte
	last   bool // of its tensor
	done   chan error
}

func (f fileLayout) write(ctx context.Context, path string, src source, digests map[string]uint64, progress func(int64)) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := f.stream(ctx, out, src, digests, progress); err != nil {
		return closeWith(out, fmt.Errorf("write %s: %w", path, err))
	}
	return finish(out)
}

// stream makes blocks on every CPU and writes them in order.
func (f fileLayout) stream(ctx context.Context, out *os.File, src source, digests map[string]uint64, progress func(int64)) error {
	if _, err := out.Write(f.header); err != nil {
		return err
	}
	progress(int64(len(f.header)))

	workers := runtime.NumCPU()
	ahead := make(chan *block, 2*workers) // in the order of writing
	todo := make(chan *block, 2*workers)
	free := make(chan []byte, 4*workers)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(todo)
		defer close(ahead)
		return f.cut(ctx, ahead, todo, free)
	})
	for range workers {
		g.Go(func() error {
			for b := range todo {
				b.done <- src.fill(f.items[b.item], b.offset, b.bytes)
			}
			return nil
		})
	}
	g.Go(func() error { return f.drain(ctx, out, ahead, free, digests, progress) })
	return g.Wait()
}

// cut hands out the blocks of every tensor, to be made and to be written.
func (f fileLayout) cut(ctx context.Context, ahead, todo chan<- *block, free <-chan []byte) error {
	for i, it := range f.items {
		for offset := int64(0); offset == 0 || offset < it.Size; offset += writeBlock {
			n := min(writeBlock, it.Size-offset)
			var buffer []byte
			select {
			case buffer = <-free:
			default:
				buffer = make([]byte, writeBlock)
			}
			b := &block{item: i, offset: offset, bytes: buffer[:n], last: offset+n == it.Size, done: make(chan error, 1)}
			for _, queue := range []chan<- *block{ahead, todo} {
				select {
				case queue <- b:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
	}
	return nil
}

// drain writes the blocks, padding between tensors and at the end.
func (f fileLayout) drain(ctx context.Context, out io.Writer, ahead <-chan *block, free chan<- []byte, digests map[string]uint64, progress func(int64)) error {
	written := int64(len(f.header))
	hash := xxhash.New()
	pad := func(to int64) error {
		n, err := out.Write(make([]byte, to-written))
		written += int64(n)
		progress(int64(n))
		return err
	}
	for b := range ahead {
		select {
		case err := <-b.done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		_, _ = hash.Write(b.bytes) // it never fails
		n, err := out.Write(b.bytes)
		written += int64(n)
		progress(int64(n))
		if err != nil {
			return err
		}
		select {
		case free <- b.bytes[:writeBlock]:
		default:
		}
		if b.last {
			digests[f.items[b.item].Name] = hash.Sum64()
			hash.Reset()
			if err := pad(int64(len(f.header)) + alignUp(written-int64(len(f.header)), f.align)); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return pad(f.size)
}

// copyReplica copies every file of a replica that is whole into dir, which is
// there and empty.
func copyReplica(ctx context.Context, from, dir string, names []string, progress func(int64)) error {
	for _, name := range names {
		if err := copyFile(ctx, filepath.Join(from, name), filepath.Join(dir, name), progress); err != nil {
			return fmt.Errorf("copy %s: %w", filepath.Join(from, name), err)
		}
	}
	return nil
}

func copyFile(ctx context.Context, from, to string, progress func(int64)) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return closeWith(out, err)
		}
		// Between two files, io.CopyN lets the kernel do it.
		n, err := io.CopyN(out, in, 16*writeBlock)
		progress(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return closeWith(out, err)
		}
	}
	_ = unix.Fadvise(int(in.Fd()), 0, 0, unix.FADV_DONTNEED) // only advice
	return finish(out)
}
