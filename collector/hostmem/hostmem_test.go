package hostmem_test

import (
	"errors"
	"os"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/hostmem"
)

func TestMapRoundsUpToAlignedHugePages(t *testing.T) {
	for size, want := range map[int64]int{0: hostmem.HugePage, 1: hostmem.HugePage, hostmem.HugePage: hostmem.HugePage, 3*hostmem.HugePage + 1: 4 * hostmem.HugePage} {
		b, err := hostmem.Map(size)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != want || cap(b) != want || uintptr(unsafe.Pointer(&b[0]))%hostmem.HugePage != 0 {
			t.Errorf("Map(%d): %d bytes at %p, want %d, aligned", size, len(b), &b[0], want)
		}
		resident := make([]byte, len(b)/os.Getpagesize())
		if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&resident[0]))); errno != 0 {
			t.Fatal(errno)
		}
		for i, r := range resident {
			if r&1 == 0 {
				t.Fatalf("Map(%d): page %d was not touched", size, i)
			}
		}
		if err := hostmem.Unmap(b); err != nil {
			t.Error(err)
		}
	}
	if err := hostmem.Unmap(nil); err != nil {
		t.Error(err)
	}
	if _, err := hostmem.Map(1 << 60); err == nil {
		t.Error("an exbibyte was mapped")
	}
}

func TestMapFileIsSealedMemory(t *testing.T) {
	f, b, err := hostmem.MapFile("sllmq-test", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	defer unix.Munmap(b)
	b[hostmem.HugePage-1] = 7
	var last [1]byte
	if _, err := f.ReadAt(last[:], hostmem.HugePage-1); err != nil || last[0] != 7 {
		t.Errorf("the file's last byte is %d (%v), want what was written to the memory", last[0], err)
	}
	for _, size := range []int64{0, 2 * hostmem.HugePage} {
		if err := f.Truncate(size); !errors.Is(err, unix.EPERM) {
			t.Errorf("truncate to %d: %v, want EPERM", size, err)
		}
	}
	if target, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(f.Fd()))); err != nil || target != "/memfd:sllmq-test (deleted)" {
		t.Errorf("it is called %q, %v", target, err)
	}
}

// recorder is a Locker that keeps count of what it has locked.
type recorder struct {
	locked int
	err    error
}

func (r *recorder) Lock(b []byte) error {
	if r.err == nil {
		r.locked += len(b)
	}
	return r.err
}

func (r *recorder) Unlock(b []byte) error {
	r.locked -= len(b)
	return nil
}

func TestABufferIsUnlockedByWhatLockedIt(t *testing.T) {
	var r recorder
	b, err := hostmem.NewBuffer(&r, 1)
	if err != nil {
		t.Fatal(err)
	}
	if b.LockError != nil || r.locked != hostmem.HugePage {
		t.Errorf("%d bytes are locked, want %d (%v)", r.locked, hostmem.HugePage, b.LockError)
	}
	for range 2 {
		if err := b.Close(); err != nil || r.locked != 0 {
			t.Errorf("%d bytes are locked after Close (%v)", r.locked, err)
		}
	}
	if err := (*hostmem.Buffer)(nil).Close(); err != nil {
		t.Error(err)
	}
}

func TestABufferWorksUnlocked(t *testing.T) {
	r := recorder{err: errors.New("refused")}
	b, err := hostmem.NewBuffer(&r, 1)
	if err != nil {
		t.Fatal(err)
	}
	b.Bytes[0] = 1
	if !errors.Is(b.LockError, r.err) {
		t.Errorf("lock error %v, want %v", b.LockError, r.err)
	}
	if err := b.Close(); err != nil || r.locked != 0 {
		t.Errorf("what was not locked was unlocked: %d (%v)", r.locked, err)
	}
}
