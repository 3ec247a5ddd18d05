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

// arm is a technique, a format that it loads, and a kind of device.
type arm struct {
	technique loader.Technique
	format    checkpoint.Format
	// open opens the device with room for bytes.
	open   func(t *testing.T, bytes int64) device.Device
	gpu    bool
	driver *cuda.Driver
}

// each runs a test for every technique, every format that it loads and every
// device that it loads to, so that a new technique gets these tests for free.
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

// openGPU opens GPUs of the fake driver with bytes of memory, and checks after the
// test that everything has been freed.
func openGPU(t *testing.T, library *cudatest.Library, driver *cuda.Driver, bytes int64, ordinals ...int) device.Device {
	t.Helper()
	// The device tests itself with 4 MiB.
	library.Control(fmt.Sprintf("devices=4 memory=%d", max(bytes, 4<<20)))
	d, err := device.OpenCUDA(driver, ordinals, bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close the device: %v", err)
		}
		if left := library.Left(); left != (cudatest.Left{}) {
			t.Errorf("left behind: %+v", left)
		}
	})
	return d
}

// open opens a technique, with chunks so small that small files have many.
func open(t *testing.T, a arm, d device.Device, change ...func(*loader.Options)) loader.Loader {
	t.Helper()
	o := loader.Options{Format: a.format, Device: d, Threads: 3, ChunkBytes: 64 << 10, PoolBytes: 96 << 20}
	for _, c := range change {
		c(&o)
	}
	if a.technique.Served {
		o.Store = serve(t, a, o)
	}
	l, err := a.technique.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close the loader: %v", err)
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
			t.Errorf("close the device: %v", err)
		}
	})
	return d
}

// load loads dir, compares every tensor with what was written, and frees them.
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
		t.Errorf("left behind: %q", found)
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
		t.Errorf("loaded %d bytes, want %d", loaded.Bytes, distinct)
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
			t.Errorf("tensor %s has wrong bytes", got.Name)
		}
	}
}

func TestEveryTensorArrives(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		own := a.open(t, 16<<20)
		for name, d := range map[string]device.Device{"addressable": own, "not addressable": &hooked{Device: own}} {
			for _, threads := range []int{1, 3, 64} {
				if a.gpu && threads != 3 {
					continue // threads only change how files are read
				}
				l := open(t, a, d, func(o *loader.Options) { o.Threads = threads })
				for content, files := range checkpoints() {
					t.Run(fmt.Sprintf("%s, %s, %d threads", content, name, threads), func(t *testing.T) {
						dir := write(t, t.TempDir(), a.format, files)
						load(t, l, dir, files)
						loaded := load(t, l, dir, files)
						// Neither a hit nor an empty checkpoint reads anything.
						if r := loaded.Reading; loaded.Direct != nil && loaded.Bytes > 0 && (r.Method != "pread" || r.Depth < 1 || r.Depth > max(16, threads) || r.Bytes < 1) {
							t.Errorf("reported reading %+v", r)
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
					load(t, l, dir, files) // from the pool, if there is one
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
					t.Errorf("the tensors are on %d GPUs, want 3", len(on))
				}
				if err := loaded.Free(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Files in tmpfs can't be read past the page cache, and loaders must report that.
func TestDirectReadingIsReported(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "sllmq-test-")
	if err != nil {
		t.Skipf("no tmpfs: %v", err)
	}
	defer os.RemoveAll(dir)
	each(t, func(t *testing.T, a arm) {
		l := open(t, a, a.open(t, 16<<20))
		files := checkpoints()["several files"]
		loaded := load(t, l, write(t, dir, a.format, files), files)
		if loaded.Direct != nil && *loaded.Direct {
			t.Error("reported O_DIRECT on tmpfs")
		}
	})
}

// hooked is a device that can't be addressed. It calls act in the middle of a load,
// when the second MiB has been written to it.
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

// addressed is a device whose memory can be addressed. It calls act when a loader
// asks for the address: the files are open by then.
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

// locking is a device that page-locks memory itself.
type locking struct{ hooked }

func (d *locking) Lock(b []byte) error   { return d.Device.(hostmem.Locker).Lock(b) }
func (d *locking) Unlock(b []byte) error { return d.Device.(hostmem.Locker).Unlock(b) }

// middle calls act in the middle of a load, on each kind of device, and passes the
// load's error to verdict. Then it loads an intact checkpoint with the same loader.
func middle(t *testing.T, a arm, act func(dir, path string, cancel func()), verdict func(t *testing.T, err error)) {
	const count = 80 // MiB: more than any loader has in flight
	own := a.open(t, (count+1)<<20)
	devices := map[string]device.Device{"not addressable": &hooked{}}
	if _, ok := own.(hostmem.Locker); ok {
		devices["page-locking"] = &locking{}
	} else if a.technique.Device {
		devices["addressable"] = &addressed{}
	}
	for name, d := range devices {
		t.Run(name, func(t *testing.T) {
			megabytes := count
			if !a.technique.Device {
				megabytes = 32 << 10 // no device to hook: the load must last long enough, and holes are read at 100 GB/s
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
			actNow := func() { act(dir, path, cancel) }
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
				hook.act = actNow
			} else {
				watching.Go(func() { onceReading(clock, actNow) })
			}
			loaded, err := l.Load(ctx, dir, clock)
			watching.Wait()
			if err == nil {
				t.Fatalf("loaded %d bytes, want an error", loaded.Bytes)
			}
			verdict(t, err)
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %q, want one line with the folder", err)
			}
			if own.Used() != 0 {
				t.Errorf("%d bytes of the device are in use", own.Used())
			}
			if found := left(t, dir); len(found) > 0 {
				t.Errorf("left behind: %q", found)
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
			// A store keeps reading for the next client.
			if loaded.PoolHit != nil && *loaded.PoolHit && !a.technique.Served {
				t.Error("a partly read model was found in the pool")
			}
			if err := loaded.Free(); err != nil {
				t.Error(err)
			}
		})
	}
}

// onceReading calls act once the first bytes have been read.
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

// settle waits until at most goroutines goroutines run.
func settle(t *testing.T, goroutines int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > goroutines {
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines are running, want at most %d", runtime.NumGoroutine(), goroutines)
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

func TestTruncatingAFileDuringALoadIsAnError(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		if a.technique.Served {
			t.Skip("its server reads before the hook is called; tests of the server and the pool cover this")
		}
		if a.gpu && a.technique.Name == "mmap-parallel" {
			t.Skip("another thread may be inside the driver, where a fault ends the process; its parent records that")
		}
		middle(t, a,
			func(_, path string, _ func()) { _ = os.Truncate(path, 100_001) },
			func(t *testing.T, err error) {
				if !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "cut short") {
					t.Errorf("error %v, want the file's end", err)
				}
			})
	})
}

// A descriptor that can't be read any more stands for a failing disk. Loaders that
// map files have no descriptor open; for them a failure is a fault, as it is when
// a file is truncated.
func TestAReadErrorDuringALoadIsAnError(t *testing.T) {
	each(t, func(t *testing.T, a arm) {
		if a.technique.Served {
			t.Skip("its server reads before the hook is called; tests of the server and the pool cover this")
		}
		var broken atomic.Bool
		if strings.HasPrefix(a.technique.Name, "mmap") || a.technique.Name == "pinned" {
			t.Skip("maps its files")
		}
		middle(t, a,
			func(dir, _ string, _ func()) { broken.Store(breakDescriptors(dir)) },
			func(t *testing.T, err error) {
				if !broken.Load() {
					t.Error("no descriptor was open")
				}
				if !errors.Is(err, unix.EISDIR) {
					t.Errorf("error %v, want EISDIR", err)
				}
			})
	})
}

// breakDescriptors replaces every descriptor of a file in dir by one of a folder,
// and reports whether there were any.
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
			t.Skip("loads to no device")
		}
		d := a.open(t, 1)
		l := open(t, a, d)
		dir, _ := sparse(t, a.format, 5)
		if _, err := l.Load(t.Context(), dir, stage.Begin()); !errors.Is(err, device.ErrTooSmall) {
			t.Errorf("error %v, want ErrTooSmall", err)
		}
		if found := left(t, dir); len(found) > 0 || d.Used() != 0 {
			t.Errorf("left behind: %q and %d bytes", found, d.Used())
		}
	})
}

func TestABadCheckpointIsAnError(t *testing.T) {
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
				t.Errorf("left behind: %q and %d bytes", found, d.Used())
			}
		}
	})
}

// Every byte that a load reports was read or copied in a stage.
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
			t.Errorf("loaded %d bytes, and the stages moved %d", loaded.Bytes, moved)
		}
		if err := loaded.Free(); err != nil {
			t.Error(err)
		}
	})
}
