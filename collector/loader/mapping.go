package loader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/stage"
)

// mappedLoad is how a loader takes tensors out of mapped files.
type mappedLoad struct {
	threads  int
	together bool                             // all files stay mapped from the first tensor to the last; else each while its own are brought
	order    func(a, b checkpoint.Tensor) int // of those of the files that are mapped; nil: as they lie
	// bring copies tensors to the device.
	bring func(context.Context, mapping, []checkpoint.Tensor) error
}

// mapping is a checkpoint whose files, or some of them, are mapped, one private
// mapping a file, and the memory that its tensors go to, each to a place of its
// own.
type mapping struct {
	checkpoint *checkpoint.Checkpoint
	files      [][]byte // by number
	places     map[span]int64
	memory     device.Memory
}

// load does what every loader does that maps files.
func (l mappedLoad) load(ctx context.Context, dir string, o Options, clock *stage.Timeline) (*Loaded, error) {
	c, err := openIndex(dir, o.Format, clock)
	if err != nil {
		return nil, err
	}
	places, total := tensorPlaces(c)
	m := mapping{checkpoint: c, files: make([][]byte, len(c.Files)), places: places}
	m.memory, err = allocate(o.Device, c, m.place, total, clock)
	if err != nil {
		return nil, err
	}
	step := 1
	if l.together {
		step = len(c.Files)
	}
	tensors := c.Distinct()
	for first := 0; err == nil && first < len(c.Files); first += step {
		n := slices.IndexFunc(tensors, func(t checkpoint.Tensor) bool { return t.File >= first+step })
		if n < 0 {
			n = len(tensors)
		}
		err = l.bringFiles(ctx, m, first, first+step, tensors[:n], clock)
		tensors = tensors[n:]
	}
	if err != nil {
		return nil, freeAfter(m.memory, fmt.Errorf("load %s: %w", dir, err))
	}
	return &Loaded{Checkpoint: c, Memory: m.memory, Bytes: c.Bytes(), Reading: Reading{Method: "mmap", Depth: l.threads}, place: m.place}, nil
}

// bringFiles maps the files from first to before end, brings their tensors, and
// gives the mappings back. That belongs to the load: whoever loads this way pays
// for it before the model serves.
//
// A stage lasts from its first beginning to its last end, so opening is told of the
// first files and closing of the last: what of it lies between tensors is part of
// what bringing them takes.
func (l mappedLoad) bringFiles(ctx context.Context, m mapping, first, end int, tensors []checkpoint.Tensor, clock *stage.Timeline) error {
	begun := clock.Elapsed()
	err := m.mapFiles(first, end)
	if first == 0 {
		clock.Add("open", begun, 0)
	}
	if err == nil {
		if l.order != nil {
			slices.SortFunc(tensors, l.order)
		}
		err = l.bring(ctx, m, tensors)
	}
	if err == nil {
		err = m.memory.Sync()
	}
	begun = clock.Elapsed()
	if unmapErr := m.unmapFiles(first, end); err == nil {
		err = unmapErr
	}
	if end == len(m.files) {
		clock.Add("close", begun, 0)
	}
	return err
}

// bytes is a tensor in the mapping.
func (m mapping) bytes(t checkpoint.Tensor) []byte {
	return m.files[t.File][t.Offset : t.Offset+t.Size]
}

// place is where a tensor begins on the device.
func (m mapping) place(t checkpoint.Tensor) int64 { return m.places[span{t.File, t.Offset}] }

// failed names the tensor that an error is about.
func (m mapping) failed(t checkpoint.Tensor, err error) error {
	return fmt.Errorf("tensor %s in %s: %w", t.Name, m.checkpoint.Path(t.File), err)
}

// span names a tensor's bytes by where they begin.
type span struct {
	file   int
	offset int64
}

// tensorAlign is where tensors begin on the device, in bytes: CUDA's vector
// loads want 16, its allocator gives 256.
const tensorAlign = 256

// tensorPlaces lays the tensors out one after the other and returns where each
// begins, and the whole length.
func tensorPlaces(c *checkpoint.Checkpoint) (map[span]int64, int64) {
	places := make(map[span]int64, len(c.Tensors))
	var total int64
	for _, t := range c.Tensors {
		if at := (span{t.File, t.Offset}); t.Size > 0 {
			if _, tied := places[at]; !tied {
				places[at] = total
				total += (t.Size + tensorAlign - 1) / tensorAlign * tensorAlign
			}
		}
	}
	return places, total
}

// mapFiles maps the files from first to before end as PyTorch does for
// safetensors (MapAllocator in aten/src/ATen/MapAllocator.cpp, which
// UntypedStorage.from_file takes): a private mapping, and advice to the kernel
// that the file is read in order, for which Linux reads twice as far ahead.
func (m mapping) mapFiles(first, end int) error {
	for i := first; i < end; i++ {
		b, err := mapFile(m.checkpoint.Path(i), m.checkpoint.Files[i].Size)
		if err != nil {
			return err
		}
		m.files[i] = b
	}
	return nil
}

func mapFile(path string, size int64) (b []byte, err error) {
	if size == 0 {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = errors.Join(closeErr, unix.Munmap(b))
		}
	}()
	b, err = unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	_ = unix.Fadvise(int(f.Fd()), 0, size, unix.FADV_SEQUENTIAL) // the mapping keeps the open file, and this with it
	return b, nil
}

func (m mapping) unmapFiles(first, end int) error {
	for i := first; i < end; i++ {
		if m.files[i] == nil {
			continue
		}
		if err := unix.Munmap(m.files[i]); err != nil {
			return fmt.Errorf("unmap %s: %w", m.checkpoint.Path(i), err)
		}
		m.files[i] = nil
	}
	return nil
}

// grain is how much is copied between two looks at the context.
const grain = 2 << 20

// faultAround is how much of a file that lies in the page cache Linux maps at one
// page fault, and where such a window begins (fault_around_bytes, by default).
const faultAround = 64 << 10

// inWindows hands src on in parts that end where fault-around windows do, from
// the first to the last.
//
// PyTorch's copy_ and glibc's memcpy read a tensor's pages in their order, and
// read-ahead lives on that. Go's copy reads the end of a range first, so the first
// byte of each window is read before it. With a read-ahead of 128 KiB, on a disk
// as fast as memory, parts of 512 KiB took 2.6 times as long as copy_, which these
// windows do not: within one, no order is seen. Nor does Go's copy go past the CPU's
// caches in them, as it does beyond 1 MiB and copy_ does not.
func inWindows(src []byte, hand func(at int, part []byte) error) error {
	for at := 0; at < len(src); {
		end := min(len(src), at+faultAround-int(address(src[at:])%faultAround))
		touch(src[at : at+1])
		if err := hand(at, src[at:end]); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// writer writes to a device as those do who copy tensors one by one.
func (m mapping) writer(place int64) func(offset int64, src []byte) error {
	if _, ok := m.memory.(device.Addressable); !ok {
		return func(offset int64, src []byte) error { return m.memory.Write(place+offset, src) }
	}
	return func(offset int64, src []byte) error {
		return inWindows(src, func(at int, part []byte) error { return m.memory.Write(place+offset+int64(at), part) })
	}
}

// copyMapped hands b, which lies in a mapping, to write in parts. A page that
// can't be read, because the file was cut short or the disk failed, is a memory
// fault, which becomes an error here.
func copyMapped(ctx context.Context, b []byte, write func(offset int64, src []byte) error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if fault := recover(); fault != nil {
			f, ok := fault.(interface{ Addr() uintptr }) // of runtime.Error: see debug.SetPanicOnFault
			if !ok || !lies(f.Addr(), b) {
				panic(fault)
			}
			err = fmt.Errorf("the page at its byte %d can't be read: the file was cut short, or the storage failed", f.Addr()-address(b))
		}
	}()
	for at := 0; at < len(b); at += grain {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := write(int64(at), b[at:min(at+grain, len(b))]); err != nil {
			return err
		}
	}
	return nil
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// lies says whether an address is that of a byte of b.
func lies(at uintptr, b []byte) bool { return at >= address(b) && at-address(b) < uintptr(len(b)) }

// touch reads a byte of every page of b, in their order, so that a page that
// can't be read is a fault here, which can be told, and not within a driver,
// where it ends the process. What it reads is of no use, but has to be read.
//
//go:noinline
func touch(b []byte) byte {
	const page = 4096
	var x byte
	for i := 0; i < len(b); i += page {
		x ^= b[i]
	}
	if n := len(b); n > 0 {
		x ^= b[n-1]
	}
	return x
}
