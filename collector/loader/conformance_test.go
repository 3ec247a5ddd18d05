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
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/stage"
)

// each runs a test for every technique and every format that it takes; a new
// technique gets these tests for nothing.
func each(t *testing.T, test func(t *testing.T, technique loader.Technique, f checkpoint.Format)) {
	for _, technique := range loader.Techniques() {
		for _, f := range technique.Formats {
			t.Run(fmt.Sprintf("%s/%s", technique.Name, f), func(t *testing.T) { test(t, technique, f) })
		}
	}
}

// open opens a technique with chunks so small that little files have many.
func open(t *testing.T, technique loader.Technique, f checkpoint.Format, d device.Device, change ...func(*loader.Options)) loader.Loader {
	t.Helper()
	o := loader.Options{Format: f, Device: d, Threads: 3, ChunkBytes: 64 << 10, PoolBytes: 96 << 20}
	for _, c := range change {
		c(&o)
	}
	l, err := technique.Open(o)
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
			want[x.name] = x
			if x.tied == "" || loaded.Checkpoint.Format == checkpoint.SafeTensors {
				distinct += int64(len(x.data))
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
		} else if !bytes.Equal(b, want[got.Name].data) {
			t.Errorf("tensor %s has other bytes", got.Name)
		}
	}
}

func TestEveryTensorArrives(t *testing.T) {
	each(t, func(t *testing.T, technique loader.Technique, f checkpoint.Format) {
		host := openHost(t, 16<<20)
		for name, d := range map[string]device.Device{"addressable": host, "not addressable": &hooked{Device: host}} {
			for _, threads := range []int{1, 3, 64} {
				l := open(t, technique, f, d, func(o *loader.Options) { o.Threads = threads })
				for content, files := range checkpoints() {
					t.Run(fmt.Sprintf("%s, %s, %d threads", content, name, threads), func(t *testing.T) {
						dir := write(t, t.TempDir(), f, files)
						load(t, l, dir, files)
						load(t, l, dir, files)
						if host.Used() != 0 {
							t.Errorf("%d bytes of the device are in use", host.Used())
						}
					})
				}
			}
		}
	})
}

// A filesystem that is memory can't be read directly, and a loader that asks
// for it has to say that it did not get it.
func TestWhereDirectReadingIsRefused(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "sllmq-test-")
	if err != nil {
		t.Skipf("no tmpfs to try: %v", err)
	}
	defer os.RemoveAll(dir)
	each(t, func(t *testing.T, technique loader.Technique, f checkpoint.Format) {
		l := open(t, technique, f, openHost(t, 16<<20))
		files := checkpoints()["several files"]
		loaded := load(t, l, write(t, dir, f, files), files)
		if loaded.Direct != nil && *loaded.Direct {
			t.Error("it says that it read past the page cache")
		}
	})
}

// hooked is a device that can't be addressed, and that calls something in the
// middle of a load: as the second MiB is written to it.
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

func (m *hookedMemory) Write(offset int64, src []byte) error {
	if m.written.Add(int64(len(src))) > 1<<20 && m.device.act != nil {
		m.once.Do(m.device.act)
	}
	return m.Memory.Write(offset, src)
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

// middle runs a load that something happens in the middle of, on each sort of
// device, and then one of an intact checkpoint with the same loader.
func middle(t *testing.T, technique loader.Technique, f checkpoint.Format, act func(dir, path string, cancel func()), verdict func(t *testing.T, err error)) {
	const count = 80 // MiB: more than any loader has under way at once
	host := openHost(t, (count+1)<<20)
	devices := map[string]device.Device{"addressable": &addressed{}, "not addressable": &hooked{}}
	if !technique.Device {
		devices = map[string]device.Device{"no device": &hooked{}}
	}
	for name, d := range devices {
		t.Run(name, func(t *testing.T) {
			megabytes := count
			if !technique.Device {
				megabytes = 8 << 10 // there is no hook: time to act is all there is
			}
			dir, path := sparse(t, f, megabytes)
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
			}
			hook.Device = host
			l := open(t, technique, f, d)
			var watching sync.WaitGroup
			if technique.Device {
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
			if host.Used() != 0 {
				t.Errorf("%d bytes of the device are in use", host.Used())
			}
			if found := left(t, dir); len(found) > 0 {
				t.Errorf("it left %q", found)
			}
			settle(t, goroutines)

			hook.act = nil
			grow(t, path, info.Size())
			if !technique.Device {
				return
			}
			loaded, err = l.Load(t.Context(), dir, stage.Begin())
			if err != nil {
				t.Fatalf("the next load: %v", err)
			}
			if loaded.PoolHit != nil && *loaded.PoolHit {
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
	each(t, func(t *testing.T, technique loader.Technique, f checkpoint.Format) {
		middle(t, technique, f,
			func(_, _ string, cancel func()) { cancel() },
			func(t *testing.T, err error) {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("error %v, want the context's", err)
				}
			})
	})
}

func TestAFileCutShortUnderwayIsAnError(t *testing.T) {
	each(t, func(t *testing.T, technique loader.Technique, f checkpoint.Format) {
		middle(t, technique, f,
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
	each(t, func(t *testing.T, technique loader.Technique, f checkpoint.Format) {
		var broken atomic.Bool
		if strings.HasPrefix(technique.Name, "mmap") || technique.Name == "pinned" {
			t.Skip("it maps its files")
		}
		middle(t, technique, f,
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
	each(t, func(t *testing.T, technique loader.Technique, f checkpoint.Format) {
		if !technique.Device {
			t.Skip("it takes no device")
		}
		d := openHost(t, 1)
		l := open(t, technique, f, d)
		dir, _ := sparse(t, f, 5)
		if _, err := l.Load(t.Context(), dir, stage.Begin()); !errors.Is(err, device.ErrTooSmall) {
			t.Errorf("error %v, want ErrTooSmall", err)
		}
		if found := left(t, dir); len(found) > 0 || d.Used() != 0 {
			t.Errorf("it left %q and %d bytes", found, d.Used())
		}
	})
}

func TestWhatIsNoCheckpointIsAnError(t *testing.T) {
	each(t, func(t *testing.T, technique loader.Technique, f checkpoint.Format) {
		d := openHost(t, 1<<20)
		l := open(t, technique, f, d)
		dir, path := sparse(t, f, 1)
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
	each(t, func(t *testing.T, technique loader.Technique, f checkpoint.Format) {
		files := checkpoints()["several files"]
		l := open(t, technique, f, openHost(t, 16<<20))
		clock := stage.Begin()
		loaded, err := l.Load(t.Context(), write(t, t.TempDir(), f, files), clock)
		if err != nil {
			t.Fatal(err)
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
