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

// Modes of reading into a GPU's memory with direct.
const (
	GDSOff     = "off"     // through page-locked host memory
	GDSRequire = "require" // straight from storage, or fail
	GDSCompat  = "compat"  // with the same library, which may use host memory
)

// Values of Reading.Method besides pread and mmap.
const (
	methodGDS    = "cufile"
	methodCompat = "cufile compat"
)

// gds reads with GPUDirect Storage, as fastsafetensors 0.5.0 does by default: it
// registers the files with the driver and pins the memory, and storage writes to
// it.
type gds struct{ driver *cufile.Driver }

// openGDS opens the library in exactly the mode asked for; nil if that is off.
func openGDS(o Options) (*gds, error) {
	if o.GDS == "" || o.GDS == GDSOff {
		return nil, nil
	}
	if o.GDS != GDSRequire && o.GDS != GDSCompat {
		return nil, fmt.Errorf("unknown GPUDirect Storage mode %q: use %s, %s or %s", o.GDS, GDSOff, GDSRequire, GDSCompat)
	}
	if _, ok := o.Device.(device.Spreader); ok {
		return nil, errors.New("GPUDirect Storage loads to one GPU: choose one device")
	}
	d, err := cufile.Open(o.CuFile, o.GDS == GDSCompat)
	if err != nil && o.GDS == GDSRequire {
		return nil, fmt.Errorf("GPUDirect Storage: %w (mode %s uses the same library and may read through host memory)", err, GDSCompat)
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

// carrier registers the files and pins the memory; done undoes both.
func (g *gds) carrier(files directio.Files, memory device.Memory, bytes int64, clock *stage.Timeline) (carry carrier, done func() error, err error) {
	end := clock.Start("register")
	defer func() { end(0) }()
	m, ok := memory.(device.OnGPU)
	if !ok {
		return nil, nil, errors.New("GPUDirect Storage needs a GPU as the device")
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
	// In compatibility mode only the driver writes to the memory.
	if !g.driver.Compat {
		if err := g.driver.Pin(context, base, bytes); err != nil {
			return nil, nil, errors.Join(fmt.Errorf("pin the GPU's memory for GPUDirect Storage: %w", err), done())
		}
		pinned = true
	}
	return func(r readRequest, worker int) error {
		begun := clock.Elapsed()
		n, err := g.read(registered[r.file], context, base+cuda.Pointer(r.place), r, min(r.bytes, files[r.file].Size()-r.offset))
		clock.Add("read", begun, n)
		ended := clock.Elapsed()
		clock.Chunk(stage.Chunk{File: r.file, Offset: r.offset, Bytes: n, Thread: worker, Queued: r.queued, Start: begun, End: ended, Copied: ended})
		return err
	}, done, nil
}

// read reads bytes of a request, which may reach past the file's end, in as many
// steps as the library takes.
func (g *gds) read(f *cufile.File, c *cuda.Context, at cuda.Pointer, r readRequest, bytes int64) (int64, error) {
	offset := r.offset
	for n := int64(0); n < bytes; {
		got, err := f.ReadAt(c, at+cuda.Pointer(n), r.bytes-n, offset+n)
		if errors.Is(err, cufile.ErrShort) {
			err = fmt.Errorf("the file ends at byte %d: %w", offset+n, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return n, fmt.Errorf("read with GPUDirect Storage at byte %d: %w", offset+n, err)
		}
		n += got
	}
	return bytes, nil
}
