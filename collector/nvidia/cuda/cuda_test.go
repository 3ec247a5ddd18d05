package cuda_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
)

func open(t *testing.T, control string) (*cudatest.Library, *cuda.Driver) {
	t.Helper()
	library := cudatest.Build(t, control)
	driver, err := cuda.Open(library.Path)
	if err != nil {
		t.Fatal(err)
	}
	return library, driver
}

func retain(t *testing.T, driver *cuda.Driver, ordinal int) *cuda.Context {
	t.Helper()
	device, err := driver.Device(ordinal)
	if err != nil {
		t.Fatal(err)
	}
	c, err := device.Retain()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func done(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// mapped returns memory that is not Go's.
func mapped(t *testing.T, bytes int) []byte {
	t.Helper()
	b := must[[]byte](t)(unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON))
	t.Cleanup(func() { _ = unix.Munmap(b) })
	return b
}

func TestDeviceProperties(t *testing.T) {
	_, driver := open(t, "devices=2 memory=1000000")
	if n := must[int](t)(driver.Devices()); n != 2 {
		t.Fatalf("%d devices", n)
	}
	device := must[*cuda.Device](t)(driver.Device(1))
	if name := must[string](t)(device.Name()); name != "Fake GPU 1" {
		t.Errorf("name %q", name)
	}
	if uuid := must[cuda.UUID](t)(device.UUID()); uuid.String() != "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadae01" {
		t.Errorf("UUID %s", uuid)
	}
	if n := must[int64](t)(device.TotalBytes()); n != 1000000 {
		t.Errorf("%d bytes", n)
	}
	if major, _, err := device.Compute(); err != nil || major != 9 {
		t.Errorf("compute %d, %v", major, err)
	}
	if _, err := driver.Device(2); err == nil || !strings.Contains(err.Error(), "no device cuda:2: the NVIDIA driver reports 2") {
		t.Errorf("device 2: %v", err)
	}
}

func TestManyGoroutinesCopyToTheDeviceAndBack(t *testing.T) {
	library, driver := open(t, "")
	c := retain(t, driver, 0)
	want := bytes.Repeat([]byte("weights "), 1<<16)
	p := must[cuda.Pointer](t)(c.Alloc(int64(len(want))))
	pinned := mapped(t, len(want))
	done(t, c.Register(pinned))
	copy(pinned, want)
	const parts = 8
	size := len(want) / parts
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() {
			s, err := c.NewStream()
			if err != nil {
				t.Error(err)
				return
			}
			err = errors.Join(s.CopyToDevice(p+cuda.Pointer(i*size), pinned[i*size:(i+1)*size]), s.Synchronize(), s.Close())
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := make([]byte, len(want))
	done(t, c.CopyFromDevice(got, p))
	if !bytes.Equal(got, want) {
		t.Error("other bytes came back")
	}
	free, total, err := c.Memory()
	if err != nil || total-free != int64(len(want)) {
		t.Errorf("%d of %d bytes are free (%v)", free, total, err)
	}
	done(t, c.Free(p), c.Unregister(pinned), c.Release())
	if left := library.Left(); left != (cudatest.Left{}) {
		t.Errorf("left: %+v", left)
	}
}

// A page-locked buffer belongs to the driver until the stream has passed it.
func TestABufferIsFreeAfterItsEvent(t *testing.T) {
	_, driver := open(t, "")
	c := retain(t, driver, 0)
	p := must[cuda.Pointer](t)(c.Alloc(8))
	b := mapped(t, 8)
	done(t, c.Register(b))
	s := must[*cuda.Stream](t)(c.NewStream())
	e := must[*cuda.Event](t)(c.NewEvent())
	copy(b, "too soon")
	done(t, s.CopyToDevice(p, b))
	copy(b, "in time!")
	done(t, e.Record(s), e.Synchronize())
	copy(b, "too late")
	got := make([]byte, 8)
	done(t, c.CopyFromDevice(got, p))
	if string(got) != "in time!" {
		t.Errorf("the device has %q", got)
	}
	done(t, e.Close(), s.Close(), c.Free(p), c.Unregister(b), c.Release())
}

func TestAnErrorHasTheDriversDescription(t *testing.T) {
	library, driver := open(t, "memory=1000")
	c := retain(t, driver, 0)
	_, err := c.Alloc(1001)
	if !errors.Is(err, cuda.OutOfMemory) || err.Error() != "cuMemAlloc: out of memory (CUDA_ERROR_OUT_OF_MEMORY)" {
		t.Errorf("error %v", err)
	}
	p := must[cuda.Pointer](t)(c.Alloc(1000))
	if err := c.CopyToDevice(p+1, make([]byte, 1000)); !errors.Is(err, cuda.InvalidValue) {
		t.Errorf("a copy past the end: %v", err)
	}
	library.Control("fail=cuMemcpyHtoD:719:1")
	done(t, c.CopyToDevice(p, make([]byte, 10)))
	var failure *cuda.Error
	if err := c.CopyToDevice(p, make([]byte, 10)); !errors.As(err, &failure) || failure.Code != 719 {
		t.Errorf("error %v, want 719", err)
	}
	library.Control("")
	done(t, c.Free(p), c.Release())
	if err := c.Synchronize(); err == nil {
		t.Error("a released context still works")
	}
}

func TestAHandleOpensMemory(t *testing.T) {
	_, driver := open(t, "")
	c := retain(t, driver, 0)
	p := must[cuda.Pointer](t)(c.Alloc(4096))
	done(t, c.CopyToDevice(p, []byte("shared")))
	h := must[cuda.IPCHandle](t)(c.IPCHandle(p))
	q := must[cuda.Pointer](t)(c.OpenIPC(h))
	got := make([]byte, 6)
	done(t, c.CopyFromDevice(got, q))
	if string(got) != "shared" || p == q {
		t.Errorf("%q at %x, which is %x here", got, p, q)
	}
	done(t, c.CloseIPC(q), c.Free(p))
	if _, err := c.OpenIPC(cuda.IPCHandle{1, 2, 3}); err == nil {
		t.Error("an invalid handle was opened")
	}
	done(t, c.Release())
}

func TestAMissingFunctionIsAnError(t *testing.T) {
	library := cudatest.BuildWithout(t, "cuModuleLoadData")
	driver := must[*cuda.Driver](t)(cuda.Open(library.Path))
	c := retain(t, driver, 0)
	_, err := c.LoadModule([]byte("ptx"))
	if err == nil || err.Error() != library.Path+" has no cuModuleLoadData: update NVIDIA's driver" {
		t.Errorf("error %v", err)
	}
	done(t, c.Release())
}

func TestNoDriverAndNoDevice(t *testing.T) {
	if _, err := cuda.Open("/not/there/libcuda.so.1"); err == nil || !strings.HasPrefix(err.Error(), "no NVIDIA driver") {
		t.Errorf("no library: %v", err)
	}
	library := cudatest.Build(t, "devices=0")
	if _, err := cuda.Open(library.Path); !errors.Is(err, cuda.NoDevice) || !strings.Contains(err.Error(), "no CUDA-capable device is detected") {
		t.Errorf("no device: %v", err)
	}
}
