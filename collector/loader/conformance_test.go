package loader_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/collector/nvidia/cudatest"
	"github.com/sllmq/sllmq/collector/stage"
)

// arm is a technique, a format that it takes, and a sort of device.
type arm struct {
	technique loader.Technique
	format    checkpoint.Format
	// open opens the device with room for so many bytes.
	open   func(t *testing.T, bytes int64) device.Device
	gpu    bool
	driver *cuda.Driver
}

// each runs a test for every technique, every format that it takes, and every
// device that it brings tensors to; a new technique gets these tests for
// nothing.
func each(t *testing.T, test func(t *testing.T, a arm)) {
	library := cudatest.Build(t, "")
	driver, err := cuda.Open(library.Path)
	if err != nil {
		t.Fatal(err)
	}
	devices := map[string]func(*testing.T, int64) device.Device{
		"host": openHost,
		"cuda": func(t *testing.T, bytes int64) device.Device { return openGPU(t, library, driver, bytes, 0) },
	}
	for _, technique := range loader.Techniques() {
		for _, f := range technique.Formats {
			for name, open := range devices {
				if technique.Served && name == "host" {
					open = openShared
				}
				if name == "host" || technique.Device {
					t.Run(fmt.Sprintf("%s/%s/%s", technique.Name, f, name), func(t *testing.T) { test(t, arm{technique, f, open, name == "cuda", driver}) })
				}
			}
		}
	}
}

// openGPU opens the fake driver's GPU, which has only so much memory, and
// looks afterwards that all of it was given back.
func openGPU(t *testing.T, library *cudatest.Library, driver *cuda.Driver, bytes int64, ordinals ...int) device.Device {
	t.Helper()
	// The device tries itself out with 4 MiB.
	library.Control(fmt.Sprintf("devices=4 memory=%d", max(bytes, 4<<20)))
	d, err := device.OpenCUDA(driver, ordinals, bytes)
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
	return d
}

// open opens a technique with chunks so small that little files have many.
func open(t *testing.T, a arm, d device.Device, change ...func(*loader.Options)) loader.Loader {
	t.Helper()
	o := loader.Options{Format: a.format, Device: d, Threads: 3, ChunkBytes: 64 << 10, PoolBytes: 96 << 20}
	for _, c := range change {
		c(&o)
	}
	if a.technique.Served {
		o.Store = serve(t, a, o)
	}
	l, err := a.technique.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("closing the loader: %v", err)
		}
	})
	return l
}

func openHost(t *testing.T, bytes int64) device.Device {
	t.Helper()
	d, err := device.Open("host", bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("closing the device: %v", err)
		}
	})
	return d
}

// load loads dir, holds every tensor against what was written, and frees.
func load(t *testing.T, l loader.Loader, dir string, files [][]tensor) *loader.Loaded {
	t.Helper()
	loaded, err := l.Load(t.Context(), dir, stage.Begin())
	if err != nil {
		t.Fatal(err)
	}
	check(t, loaded, files)
	if err := loaded.Free(); err != nil {
		t.Error(err)
	}
	if found := left(t, dir); len(found) > 0 {
		t.Errorf("it left %q", found)
	}
	return loaded
}

func check(t *testing.T, loaded *loader.Loaded, files [][]tensor) {
	t.Helper()
	want := map[string]tensor{}
	var distinct int64
	for _, tensors := range files {
		for _, x := range tensors {
			want[x.Name] = x
			if x.Tied == "" || loaded.Checkpoint.Format == checkpoint.SafeTensors {
				distinct += int64(len(x.Data))
			}
		}
	}
	if loaded.Bytes != distinct {
		t.Errorf("%d bytes were brought, want %d", loaded.Bytes, distinct)
	}
	if got := loaded.Checkpoint.Tensors; len(got) != len(want) {
		t.Errorf("%d tensors, want %d", len(got), len(want))
	}
	if loaded.Memory == nil {
		return // raw drops them
	}
	for _, got := range loaded.Checkpoint.Tensors {
		b := make([]byte, got.Size)
		if err := loaded.Read(got, b); err != nil {
			t.Errorf("tensor %s: %v", got.Name, err)
		} else if !bytes.Equal(b, want[got.Name].Data) {
			t.Errorf("tensor %s has other bytes", got.Name)
		}
	}
}

func TestEveryTensorArrives(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		own := a.open(t, 16<<20)
		for name, d := range map[string]device.Device{"its own": own, "a stranger's": &hooked{Device: own}} {
			for _, threads := range []int{1, 3, 64} {
				if a.gpu && threads != 3 {
					continue // they differ in how files are read
				}
				l := open(t, a, d, func(o *loader.Options) { o.Threads = threads })
				for content, files := range checkpoints() {
					t.Run(fmt.Sprintf("%s, %s, %d threads", content, name, threads), func(t *testing.T) {
						dir := write(t, t.TempDir(), a.format, files)
						load(t, l, dir, files)
						loaded := load(t, l, dir, files)
						// A hit reads nothing, and nor does who finds no bytes.
						if r := loaded.Reading; loaded.Direct != nil && loaded.Bytes > 0 && (r.Method != "pread" || r.Depth < 1 || r.Depth > max(16, threads) || r.Bytes < 1) {
							t.Errorf("it says that it read by %+v", r)
						}
						if own.Used() != 0 {
							t.Errorf("%d bytes of the device are in use", own.Used())
						}
					})
				}
			}
		}
	})
}

func TestAModelIsSpreadOverGPUs(t *testing.T) {
	library := cudatest.Build(t, "")
	driver, err := cuda.Open(library.Path)
	if err != nil {
		t.Fatal(err)
	}
	layers := []tensor{bytesOf("model.embed_tokens.weight", checkpoint.Float16, 1000, 64)}
	for i := range 12 {
		layers = append(layers, bytesOf(fmt.Sprintf("model.layers.%d.attn.weight", i), checkpoint.Float16, 301, 64), bytesOf(fmt.Sprintf("model.layers.%d.mlp.weight", i), checkpoint.Float16, 7, 64))
	}
	layers = append(layers, tensor{Name: "lm_head.weight", DType: checkpoint.Float16, Shape: []int64{1000, 64}, Data: layers[0].Data, Tied: "model.embed_tokens.weight"})
	all := checkpoints()
	all["layers"] = [][]tensor{layers[:9], layers[9:25], {bytesOf("model.norm.weight", checkpoint.Float16, 64)}}
	all["tied layers"] = [][]tensor{layers}
	for _, technique := range loader.Techniques() {
		for _, f := range technique.Formats {
			if !technique.Device {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", technique.Name, f), func(t *testing.T) {
				d := openGPU(t, library, driver, 16<<20, 2, 0, 3)
				l := open(t, arm{technique: technique, format: f, gpu: true, driver: driver}, d)
				for _, files := range all {
					dir := write(t, t.TempDir(), f, files)
					load(t, l, dir, files)
					load(t, l, dir, files) // from the pool, where there is one
					if d.Used() != 0 {
						t.Errorf("%d bytes of the GPUs are in use", d.Used())
					}
				}
				dir := write(t, t.TempDir(), f, all["layers"])
				loaded, err := l.Load(t.Context(), dir, stage.Begin())
				if err != nil {
					t.Fatal(err)
				}
				on := map[*cuda.Context]int{}
				for _, x := range loaded.Checkpoint.Tensors {
					c, _, _ := loaded.Locate(x)
					on[c]++
				}
				if len(on) != 3 {
					t.Errorf("the tensors lie on %d GPUs", len(on))
				}
				if err := loaded.Free(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A filesystem that is memory can't be read directly, and a loader that asks
// for it has to say that it did not get it.
func TestWhereDirectReadingIsRefused(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "sllmq-test-")
	if err != nil {
		t.Skipf("no tmpfs to try: %v", err)
	}
	defer os.RemoveAll(dir)
	each(t, func(t *testing.T, a arm) {
		l := open(t, a, a.open(t, 16<<20))
		files := checkpoints()["several files"]
		loaded := load(t, l, write(t, dir, a.format, files), files)
		if loaded.Direct != nil && *loaded.Direct {
			t.Error("it says that it read past the page cache")
		}
	})
}

// hooked is a device that can't be addressed, and that calls something in the
// middle of a load: when the second MiB was written to it.
type hooked struct {
	device.Device
	act func()
}

func (d *hooked) Allocate(bytes int64) (device.Memory, error) {
	m, err := d.Device.Allocate(bytes)
	return &hookedMemory{Memory: m, device: d}, err
}

type hookedMemory struct {
	device.Memory
	device  *hooked
	written atomic.Int64
	once    sync.Once
}

func (m *hookedMemory) Export() (device.Handle, error) { return m.Memory.(device.Exporter).Export() }

func (m *hookedMemory) Write(offset int64, src []byte) error {
	err := m.Memory.Write(offset, src)
	if m.written.Add(int64(len(src))) > 1<<20 && m.device.act != nil {
		m.once.Do(m.device.act)
	}
	return err
}

// addressed is a device whose memory can be addressed, and that calls
// something when it is asked where: the files are open by then.
type addressed struct{ hooked }

func (d *addressed) Allocate(bytes int64) (device.Memory, error) {
	m, err := d.Device.Allocate(bytes)
	return &addressedMemory{hookedMemory{Memory: m, device: &d.hooked}}, err
}

type addressedMemory struct{ hookedMemory }

func (m *addressedMemory) Bytes() []byte {
	if m.device.act != nil {
		m.once.Do(m.device.act)
	}
	return m.Memory.(device.Addressable).Bytes()
}

// locking is a device that page-locks memory for itself.
type locking struct{ hooked }

func (d *locking) Lock(b []byte) error   { return d.Device.(hostmem.Locker).Lock(b) }
func (d *locking) Unlock(b []byte) error { return d.Device.(hostmem.Locker).Unlock(b) }

// middle runs a load that something happens in the middle of, on each sort of
// device, and then one of an intact checkpoint with the same loader.
func middle(t *testing.T, a arm, act func(dir, path string, cancel func()), verdict func(t *testing.T, err error)) {
	const count = 80 // MiB: more than any loader has under way at once
	own := a.open(t, (count+1)<<20)
	devices := map[string]device.Device{"a stranger's": &hooked{}}
	if _, ok := own.(hostmem.Locker); ok {
		devices["page-locking"] = &locking{}
	} else if a.technique.Device {
		devices["addressable"] = &addressed{}
	}
	for name, d := range devices {
		t.Run(name, func(t *testing.T) {
			megabytes := count
			if !a.technique.Device {
				megabytes = 32 << 10 // there is no hook: time to act is all there is, and holes are read at 100 GB/s
			}
			dir, path := sparse(t, a.format, megabytes)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			goroutines := runtime.NumGoroutine()
			clock := stage.Begin()
			happen := func() { act(dir, path, cancel) }
			var hook *hooked
			switch d := d.(type) {
			case *hooked:
				hook = d
			case *addressed:
				hook = &d.hooked
			case *locking:
				hook = &d.hooked
			}
			hook.Device = own
			l := open(t, a, d)
			var watching sync.WaitGroup
			if a.technique.Device {
				hook.act = happen
			} else {
				watching.Go(func() { onceReading(clock, happen) })
			}
			loaded, err := l.Load(ctx, dir, clock)
			watching.Wait()
			if err == nil {
				t.Fatalf("it loaded %d bytes", loaded.Bytes)
			}
			verdict(t, err)
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %q, want one line that names the folder", err)
			}
			if own.Used() != 0 {
				t.Errorf("%d bytes of the device are in use", own.Used())
			}
			if found := left(t, dir); len(found) > 0 {
				t.Errorf("it left %q", found)
			}
			if !a.technique.Served {
				settle(t, goroutines)
			}

			hook.act = nil
			grow(t, path, info.Size())
			if !a.technique.Device {
				return
			}
			loaded, err = l.Load(t.Context(), dir, stage.Begin())
			if err != nil {
				t.Fatalf("the next load: %v", err)
			}
			// A store goes on reading for whoever comes next.
			if loaded.PoolHit != nil && *loaded.PoolHit && !a.technique.Served {
				t.Error("what did not come whole was found in the pool")
			}
			if err := loaded.Free(); err != nil {
				t.Error(err)
			}
		})
	}
}

// onceReading calls act when the first bytes have been read.
func onceReading(clock *stage.Timeline, act func()) {
	for range 10_000 {
		for _, s := range clock.Stages() {
			if s.Name == "read" && s.Bytes > 0 {
				act()
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// settle waits until no more goroutines run than did.
func settle(t *testing.T, goroutines int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > goroutines {
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines run, %d did", runtime.NumGoroutine(), goroutines)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestACancelledLoadLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		middle(t, a,
			func(_, _ string, cancel func()) { cancel() },
			func(t *testing.T, err error) {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("error %v, want the context's", err)
				}
			})
	})
}

func TestAFileCutShortUnderwayIsAnError(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		if a.technique.Served {
			t.Skip("its server reads ahead of all that can be hooked: its own tests and the pool's break what it reads")
		}
		if a.gpu && a.technique.Name == "mmap-parallel" {
			t.Skip("another thread may be within the driver by then, where a fault ends the process: its parent makes that a row")
		}
		middle(t, a,
			func(_, path string, _ func()) { _ = os.Truncate(path, 100_001) },
			func(t *testing.T, err error) {
				if !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "cut short") {
					t.Errorf("error %v, want one that says that the file ends", err)
				}
			})
	})
}

// A disk's failure can't be had in a test, but a descriptor that can't be read
// any more fails as it does. Those who map files have no descriptor then, and
// a failure reaches them as a fault, as that of a file cut short does.
func TestAReadErrorUnderwayIsAnError(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		if a.technique.Served {
			t.Skip("its server reads ahead of all that can be hooked: its own tests and the pool's break what it reads")
		}
		var broken atomic.Bool
		if strings.HasPrefix(a.technique.Name, "mmap") || a.technique.Name == "pinned" {
			t.Skip("it maps its files")
		}
		middle(t, a,
			func(dir, _ string, _ func()) { broken.Store(breakDescriptors(dir)) },
			func(t *testing.T, err error) {
				if !broken.Load() {
					t.Error("no descriptor was open")
				}
				if !errors.Is(err, unix.EISDIR) {
					t.Errorf("error %v, want that of reading a folder", err)
				}
			})
	})
}

// breakDescriptors puts a folder in the place of every file of dir that is
// open.
func breakDescriptors(dir string) bool {
	folder, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return false
	}
	defer unix.Close(folder)
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return false
	}
	found := false
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || !strings.HasPrefix(target, dir) {
			continue
		}
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			found = unix.Dup3(folder, fd, unix.O_CLOEXEC) == nil || found
		}
	}
	return found
}

func TestADeviceTooSmallIsAnError(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		if !a.technique.Device {
			t.Skip("it takes no device")
		}
		d := a.open(t, 1)
		l := open(t, a, d)
		dir, _ := sparse(t, a.format, 5)
		if _, err := l.Load(t.Context(), dir, stage.Begin()); !errors.Is(err, device.ErrTooSmall) {
			t.Errorf("error %v, want ErrTooSmall", err)
		}
		if found := left(t, dir); len(found) > 0 || d.Used() != 0 {
			t.Errorf("it left %q and %d bytes", found, d.Used())
		}
	})
}

func TestWhatIsNoCheckpointIsAnError(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		d := a.open(t, 1<<20)
		l := open(t, a, d)
		dir, path := sparse(t, a.format, 1)
		grow(t, path, 1000)
		for _, bad := range []string{dir, t.TempDir()} {
			if _, err := l.Load(t.Context(), bad, stage.Begin()); err == nil {
				t.Errorf("%s was loaded", bad)
			}
			if found := left(t, bad); len(found) > 0 || d.Used() != 0 {
				t.Errorf("it left %q and %d bytes", found, d.Used())
			}
		}
	})
}

// A load tells what it did: every byte that it says it brought was read or
// copied in a stage.
func TestStagesCountTheBytes(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		files := checkpoints()["several files"]
		l := open(t, a, a.open(t, 16<<20))
		clock := stage.Begin()
		loaded, err := l.Load(t.Context(), write(t, t.TempDir(), a.format, files), clock)
		if err != nil {
			t.Fatal(err)
		}
		if err := loaded.Explain(t.Context()); err != nil {
			t.Error(err)
		}
		var moved int64
		for _, s := range clock.Stages() {
			if s.Name == "read" || s.Name == "copy" {
				moved = max(moved, s.Bytes)
			}
			if s.End > clock.Elapsed() || s.Start > s.End {
				t.Errorf("stage %+v", s)
			}
		}
		if moved < loaded.Bytes {
			t.Errorf("%d bytes were brought, and the stages know of %d", loaded.Bytes, moved)
		}
		if err := loaded.Free(); err != nil {
			t.Error(err)
		}
	})
}
