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

// mappedLoad says how a loader copies tensors out of mapped files.
type mappedLoad struct {
	threads  int
	together bool                             // map all files from the first tensor to the last; otherwise each file in turn
	order    func(a, b checkpoint.Tensor) int // of the tensors in the mapped files; nil: by file and offset
	// copyTensors copies tensors to the device.
	copyTensors func(context.Context, mapping, []checkpoint.Tensor) error
}

// mapping is a checkpoint with some or all of its files mapped, one private
// mapping per file, and the device memory that its tensors go to.
type mapping struct {
	checkpoint *checkpoint.Checkpoint
	files      [][]byte // by file number; nil: not mapped
	places     map[span]int64
	memory     device.Memory
}

// load is the load of every loader that maps files.
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
		err = l.copyFiles(ctx, m, first, first+step, tensors[:n], clock)
		tensors = tensors[n:]
	}
	if err != nil {
		return nil, freeAfter(m.memory, fmt.Errorf("load %s: %w", dir, err))
	}
	return &Loaded{Checkpoint: c, Memory: m.memory, Bytes: c.Bytes(), Reading: Reading{Method: "mmap", Depth: l.threads}, place: m.place}, nil
}

// copyFiles maps files [first, end), copies their tensors and unmaps them.
// Unmapping belongs to the load: a server that loads this way pays for it before
// the model serves.
//
// A stage lasts from its first start to its last end. So that open and close do
// not span the whole load, only mapping the first files counts as open and only
// unmapping the last as close; in between, both are part of copying.
func (l mappedLoad) copyFiles(ctx context.Context, m mapping, first, end int, tensors []checkpoint.Tensor, clock *stage.Timeline) error {
	begun := clock.Elapsed()
	err := m.mapFiles(first, end)
	if first == 0 {
		clock.Add("open", begun, 0)
	}
	if err == nil {
		if l.order != nil {
			slices.SortFunc(tensors, l.order)
		}
		err = l.copyTensors(ctx, m, tensors)
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

// bytes returns a tensor's bytes in the mapping.
func (m mapping) bytes(t checkpoint.Tensor) []byte {
	return m.files[t.File][t.Offset : t.Offset+t.Size]
}

// place returns a tensor's offset on the device.
func (m mapping) place(t checkpoint.Tensor) int64 { return m.places[span{t.File, t.Offset}] }

// failed adds the tensor's name and file to an error.
func (m mapping) failed(t checkpoint.Tensor, err error) error {
	return fmt.Errorf("tensor %s in %s: %w", t.Name, m.checkpoint.Path(t.File), err)
}

// span identifies a tensor's bytes by where they begin. Tied tensors share one.
type span struct {
	file   int
	offset int64
}

// tensorAlign is the alignment of tensors on the device, in bytes: CUDA's vector
// loads need 16, its allocator gives 256.
const tensorAlign = 256

// tensorPlaces lays the tensors out one after the other and returns their
// offsets and the total length in bytes.
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

// mapFiles maps files [first, end) as PyTorch does for safetensors (MapAllocator
// in aten/src/ATen/MapAllocator.cpp, which UntypedStorage.from_file uses): a
// private mapping, and advice that the file is read sequentially, for which
// Linux doubles its read-ahead.
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
	_ = unix.Fadvise(int(f.Fd()), 0, size, unix.FADV_SEQUENTIAL) // the mapping keeps the open file alive, and the advice with it
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

// grain is the number of bytes copied between two checks of the context.
const grain = 2 << 20

// faultAround is the size and alignment, in bytes, of the window of cached pages
// that Linux maps on one page fault (the default of fault_around_bytes).
const faultAround = 64 << 10

// inWindows calls f for src in parts that end at fault-around windows, in order.
//
// PyTorch's copy_ and glibc's memcpy read a tensor's pages in order, and
// read-ahead depends on that. Go's copy reads the end of a range first, so the
// first byte of each window is read before it is copied. With a read-ahead of
// 128 KiB, on a disk as fast as memory, parts of 512 KiB took 2.6 times as long as
// copy_, and these windows do not: the kernel sees no order within one. Windows
// also keep Go's copy from bypassing the CPU's caches, as it does above 1 MiB and
// copy_ does not.
func inWindows(src []byte, f func(at int, part []byte) error) error {
	for at := 0; at < len(src); {
		end := min(len(src), at+faultAround-int(address(src[at:])%faultAround))
		touch(src[at : at+1])
		if err := f(at, src[at:end]); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// writer returns a function that copies parts of a tensor to its place on the
// device.
func (m mapping) writer(place int64) func(offset int64, src []byte) error {
	if _, ok := m.memory.(device.Addressable); !ok {
		return func(offset int64, src []byte) error { return m.memory.Write(place+offset, src) }
	}
	return func(offset int64, src []byte) error {
		return inWindows(src, func(at int, part []byte) error { return m.memory.Write(place+offset+int64(at), part) })
	}
}

// copyMapped passes b, which lies in a mapping, to write in parts. Touching a
// page that can't be read, because the file was truncated or the disk failed, is
// a memory fault, which copyMapped turns into an error.
func copyMapped(ctx context.Context, b []byte, write func(offset int64, src []byte) error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if fault := recover(); fault != nil {
			f, ok := fault.(interface{ Addr() uintptr }) // of runtime.Error: see debug.SetPanicOnFault
			if !ok || !within(f.Addr(), b) {
				panic(fault)
			}
			err = fmt.Errorf("the page at byte %d can't be read: the file was cut short or the storage failed", f.Addr()-address(b))
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

// within reports whether the address is that of a byte of b.
func within(at uintptr, b []byte) bool { return at >= address(b) && at-address(b) < uintptr(len(b)) }

// touch reads one byte of every page of b, in order. A page that can't be read
// then faults here, where copyMapped recovers, and not inside a driver, where it
// would end the process. The result keeps the compiler from dropping the reads.
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
