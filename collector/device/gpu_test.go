package device_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
)

func openGPUs(t *testing.T, control string, ordinals ...int) (*cudatest.Library, device.Device) {
	t.Helper()
	library := cudatest.Build(t, control)
	driver, err := cuda.Open(library.Path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := device.OpenCUDA(driver, ordinals, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("closing the device: %v", err)
		}
		if left := library.Left(); left != (cudatest.Left{}) {
			t.Errorf("left: %+v", left)
		}
	})
	return library, d
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b) // it never fails
	return b
}

func TestParse(t *testing.T) {
	for name, want := range map[string][]int{"host": nil, "cuda:0": {0}, "cuda:12": {12}, "cuda:1+cuda:0": {1, 0}} {
		if n, err := device.Parse(name); err != nil || !slices.Equal(n.GPUs, want) {
			t.Errorf("%s: %v, %v", name, n.GPUs, err)
		}
	}
	for _, name := range []string{"", "cuda", "cuda:", "cuda:-1", "cuda:01", "cuda:+1", "cuda:64", "cuda:0+", "cuda:0+cuda:0", "host+cuda:0", "rocm:0"} {
		if _, err := device.Parse(name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

func TestAGPUReturnsWhatWasWrittenFromAnyMemory(t *testing.T) {
	_, d := openGPUs(t, "", 0)
	want := random(1 << 20)
	b, err := hostmem.NewBuffer(device.LockerOf(d), int64(len(want)))
	if err != nil || b.LockError != nil {
		t.Fatal(err, b.LockError)
	}
	copy(b.Bytes, want)
	for name, src := range map[string][]byte{"page-locked": b.Bytes[:len(want)], "pageable": want} {
		m, err := d.Allocate(int64(len(want)))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		const part = 1 << 14 // more copies at once than there are streams
		for at := 0; at < len(want); at += part {
			wg.Go(func() {
				if err := m.Write(int64(at), src[at:at+part]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := m.Sync(); err != nil {
			t.Error(err)
		}
		got := make([]byte, len(want))
		if err := m.Read(0, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: other bytes came back (%v)", name, err)
		}
		if d.Used() != int64(len(want)) {
			t.Errorf("used %d", d.Used())
		}
		if err := m.Free(); err != nil || d.Used() != 0 {
			t.Errorf("used %d after Free (%v)", d.Used(), err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestAGPUIsBounded(t *testing.T) {
	library, d := openGPUs(t, "memory=10000000", 0)
	_, err := d.Allocate(10_000_001)
	if !errors.Is(err, device.ErrTooSmall) || !strings.Contains(err.Error(), "of which 10000000 are free") {
		t.Errorf("too much: %v", err)
	}
	m, err := d.Allocate(10)
	if err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{-1, 1, 11, 1 << 62} {
		if m.Write(offset, make([]byte, 10)) == nil || m.Read(offset, make([]byte, 10)) == nil {
			t.Errorf("10 bytes at %d of 10 were accepted", offset)
		}
	}
	if err := m.Free(); err != nil {
		t.Error(err)
	}
	driver, err := cuda.Open(library.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := device.OpenCUDA(driver, []int{0}, 20_000_000); !errors.Is(err, device.ErrTooSmall) {
		t.Errorf("a device with more than its memory: %v", err)
	}
	if _, err := device.OpenCUDA(driver, []int{1}, 1); err == nil || !strings.Contains(err.Error(), "no device cuda:1") {
		t.Errorf("a device that does not exist: %v", err)
	}
}

func TestMemoryThatCannotBeLockedStillWorks(t *testing.T) {
	library, d := openGPUs(t, "", 0)
	library.Control("fail=cuMemHostRegister:2:0")
	b, err := hostmem.NewBuffer(device.LockerOf(d), 1<<20)
	if err != nil || !errors.Is(b.LockError, cuda.OutOfMemory) {
		t.Fatalf("%v, %v", err, b.LockError)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestMemorySpreadOverGPUs(t *testing.T) {
	_, d := openGPUs(t, "devices=3", 2, 0)
	if d.Name() != "cuda:2+cuda:0" {
		t.Errorf("name %s", d.Name())
	}
	want := random(100_000)
	m, err := d.(device.Spreader).AllocateParts([]device.Part{{100, 900, 0}, {1000, 49_000, 1}, {50_000, 0, 0}, {50_000, 50_000, 0}})
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(want); at += 7777 {
		if err := m.Write(int64(at), want[at:min(at+7777, len(want))]); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, len(want))
	if err := errors.Join(m.Sync(), m.Read(0, got)); err != nil || !bytes.Equal(got[100:], want[100:]) {
		t.Errorf("other bytes came back (%v)", err)
	}
	_, low := m.(device.OnGPU).Locate(100)
	_, high := m.(device.OnGPU).Locate(1000)
	if one, two := got[100:108], make([]byte, 8); low == high {
		t.Errorf("%v %v: two parts have one address", one, two)
	}
	if err := m.Free(); err != nil || d.Used() != 0 {
		t.Errorf("used %d after Free (%v)", d.Used(), err)
	}
	if _, err := d.(device.Spreader).AllocateParts([]device.Part{{0, 100, 0}, {50, 100, 1}}); err == nil {
		t.Error("overlapping parts were accepted")
	}
}

func TestMemoryOfAGPUIsSharedByHandle(t *testing.T) {
	_, d := openGPUs(t, "", 0)
	m, err := d.Allocate(100_000)
	if err != nil {
		t.Fatal(err)
	}
	h, err := m.(device.Exporter).Export()
	if err != nil || len(h.Bytes) != device.HandleBytes || h.Device != "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadae00" {
		t.Fatalf("handle %+v, %v", h, err)
	}
	lent, err := d.(device.Importer).Import(h.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if n := lent.(device.Sized).Size(); n != 100_000 {
		t.Errorf("%d bytes were lent", n)
	}
	want := random(100_000)
	got := make([]byte, len(want))
	if err := errors.Join(lent.Write(0, want), lent.Sync(), lent.Free(), m.Read(0, got)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("other bytes came (%v)", err)
	}
	if err := m.Free(); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]byte{nil, h.Bytes[:63], make([]byte, 64), h.Bytes} {
		if _, err := d.(device.Importer).Import(bad); !errors.Is(err, device.ErrBadHandle) {
			t.Errorf("a bad handle: %v", err)
		}
	}
}

// Of two clients' memory, one is complete before the copy to the other begins.
func TestLentMemoryWaitsForItsOwnCopies(t *testing.T) {
	library, d := openGPUs(t, "", 0)
	const bytes = 4096
	own, lent := make([]device.Memory, 2), make([]device.Memory, 2)
	from := make([]*hostmem.Buffer, 2)
	for i := range 2 {
		own[i] = must(t)(d.Allocate(bytes))
		h, err := own[i].(device.Exporter).Export()
		if err != nil {
			t.Fatal(err)
		}
		lent[i] = must(t)(d.(device.Importer).Import(h.Bytes))
		if from[i], err = hostmem.NewBuffer(device.LockerOf(d), bytes); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := errors.Join(lent[i].Free(), own[i].Free(), from[i].Close()); err != nil {
				t.Error(err)
			}
		}()
	}
	begin := func(i int, text string) error {
		copy(from[i].Bytes, text)
		return lent[i].(device.Queued).Begin(0, from[i].Bytes[:8])
	}
	has := func(i int, want string) {
		t.Helper()
		got := make([]byte, 8)
		if err := own[i].Read(0, got); err != nil || string(got) != want {
			t.Errorf("memory %d has %q (%v), want %q", i, got, err, want)
		}
	}
	if err := errors.Join(begin(0, "first  1"), begin(1, "too soon"), lent[0].Sync()); err != nil {
		t.Fatal(err)
	}
	has(0, "first  1")
	copy(from[1].Bytes, "in time!")
	if err := lent[1].Sync(); err != nil {
		t.Fatal(err)
	}
	has(1, "in time!")

	// If there is no event to wait for later, the copy is waited for at once.
	library.Control("fail=cuEventCreate:719:0")
	if err := begin(0, "at once!"); err == nil {
		t.Error("an event that could not be created is not an error")
	}
	library.Control("")
	copy(from[0].Bytes, "too late")
	has(0, "at once!")
	// Freeing the memory waits for a copy that nobody waited for.
	if err := begin(1, "the last"); err != nil {
		t.Error(err)
	}
}

func must(t *testing.T) func(device.Memory, error) device.Memory {
	return func(m device.Memory, err error) device.Memory {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}
