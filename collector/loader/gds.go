package loader

import (
	"errors"
	"fmt"
	"io"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/cufile"
	"github.com/sllmq/sllmq/collector/stage"
)

// How direct reads into a GPU's memory.
const (
	GDSOff     = "off"     // through page-locked memory of the host
	GDSRequire = "require" // straight from the storage, or not at all
	GDSCompat  = "compat"  // by the same library, which may go through the host's memory
)

// The methods of reading that a load was done by, beside pread and mmap.
const (
	methodGDS    = "cufile"
	methodCompat = "cufile compat"
)

// gds is GPUDirect Storage, as fastsafetensors uses it unless told otherwise:
// the file is registered with the driver, the memory is pinned, and the storage
// writes to it.
type gds struct{ driver *cufile.Driver }

// openGDS starts it, in the mode that was asked for and no other.
func openGDS(o Options) (*gds, error) {
	if o.GDS == "" || o.GDS == GDSOff {
		return nil, nil
	}
	if o.GDS != GDSRequire && o.GDS != GDSCompat {
		return nil, fmt.Errorf("no way %q of GPUDirect Storage: use %s, %s or %s", o.GDS, GDSOff, GDSRequire, GDSCompat)
	}
	if _, ok := o.Device.(device.Spreader); ok {
		return nil, errors.New("GPUDirect Storage fills one GPU, and the device is several")
	}
	d, err := cufile.Open(o.CuFile, o.GDS == GDSCompat)
	if err != nil && o.GDS == GDSRequire {
		return nil, fmt.Errorf("GPUDirect Storage: %w (--gds %s reads by the same library, through the host's memory)", err, GDSCompat)
	}
	if err != nil {
		return nil, fmt.Errorf("GPUDirect Storage: %w", err)
	}
	return &gds{driver: d}, nil
}

func (g *gds) close() error {
	if g == nil {
		return nil
	}
	return g.driver.Close()
}

func (g *gds) method() string {
	if g.driver.Compat {
		return methodCompat
	}
	return methodGDS
}

// bringer registers the files and pins the memory; done undoes both.
func (g *gds) bringer(files directio.Files, sizes []int64, memory device.Memory, bytes int64, clock *stage.Timeline) (bring bringer, done func() error, err error) {
	end := clock.Start("register")
	defer func() { end(0) }()
	m, ok := memory.(device.OnGPU)
	if !ok {
		return nil, nil, errors.New("GPUDirect Storage reads into the memory of a GPU, and the device has none")
	}
	context, base := m.Locate(0)
	var registered []*cufile.File
	pinned := false
	done = func() error {
		for _, f := range registered {
			f.Close()
		}
		if pinned {
			return g.driver.Unpin(context, base)
		}
		return nil
	}
	for _, f := range files {
		r, err := g.driver.Register(f.Descriptor())
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("register a file with GPUDirect Storage: %w", err), done())
		}
		registered = append(registered, r)
	}
	// In compatibility mode nothing writes to the memory but the driver.
	if !g.driver.Compat {
		if err := g.driver.Pin(context, base, bytes); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("pin the GPU's memory for GPUDirect Storage: %w", err), done())
		}
		pinned = true
	}
	return func(r readRequest, k int) error {
		begun := clock.Elapsed()
		n, err := g.read(registered[r.file], context, base+cuda.Pointer(r.place), r, min(r.bytes, sizes[r.file]-r.offset))
		clock.Add("read", begun, n)
		ended := clock.Elapsed()
		clock.Chunk(stage.Chunk{File: r.file, Offset: r.offset, Bytes: n, Thread: k, Queued: r.queued, Start: begun, End: ended, Copied: ended})
		return err
	}, done, nil
}

// read brings so many bytes of a request, whose end may be past the file's, in
// as many steps as the library takes.
func (g *gds) read(f *cufile.File, c *cuda.Context, at cuda.Pointer, r readRequest, bytes int64) (int64, error) {
	offset := r.offset
	for n := int64(0); n < bytes; {
		got, err := f.ReadAt(c, at+cuda.Pointer(n), r.bytes-n, offset+n)
		if errors.Is(err, cufile.ErrShort) {
			err = fmt.Errorf("the file ends at byte %d: %w", offset+n, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return n, fmt.Errorf("read by GPUDirect Storage at byte %d: %w", offset+n, err)
		}
		n += got
	}
	return bytes, nil
}
