package device_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sllmq/sllmq/collector/device"
)

// With this variable set to a handle, the test binary writes to its memory.
const writesTo = "SLLMQ_TEST_HANDLE"

func TestMain(m *testing.M) {
	if handle := os.Getenv(writesTo); handle != "" {
		b, err := hex.DecodeString(handle)
		if err != nil {
			panic(err)
		}
		memory, err := device.HostImporter{}.Import(b)
		if err == nil {
			err = memory.Write(4090, []byte("from elsewhere"))
		}
		if err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func share(t *testing.T, bytes int64) (device.Memory, device.Handle) {
	t.Helper()
	d, err := device.OpenShared("host", bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	m, err := d.Allocate(bytes)
	if err != nil {
		t.Fatal(err)
	}
	h, err := m.(device.Exporter).Export()
	if err != nil {
		t.Fatal(err)
	}
	return m, h
}

func TestAnotherProcessWritesToSharedMemory(t *testing.T) {
	m, h := share(t, 10_000)
	if h.Device != device.Host || len(h.Bytes) != device.HandleBytes {
		t.Fatalf("handle %+v", h)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writesTo+"="+hex.EncodeToString(h.Bytes))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := m.(device.Addressable).Bytes()[4090:4104]
	if string(got) != "from elsewhere" {
		t.Errorf("it wrote %q", got)
	}
}

func TestImportedMemoryIsBounded(t *testing.T) {
	_, h := share(t, 10_000)
	m, err := device.HostImporter{}.Import(h.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	size := m.(device.Sized).Size()
	if size < 10_000 {
		t.Errorf("it has %d bytes", size)
	}
	for _, offset := range []int64{-1, size - 9, size, 1 << 62} {
		if m.Write(offset, make([]byte, 10)) == nil || m.Read(offset, make([]byte, 10)) == nil {
			t.Errorf("10 bytes at %d of %d were accepted", offset, size)
		}
	}
	if err := m.Write(size-10, []byte("0123456789")); err != nil {
		t.Error(err)
	}
	got := make([]byte, 10)
	if err := m.Read(size-10, got); err != nil || string(got) != "0123456789" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := m.Free(); err != nil {
		t.Error(err)
	}
}

// A process that gets handles from others must open nothing but shared memory.
func TestAnInvalidHandleOpensNothing(t *testing.T) {
	_, good := share(t, 1)
	// A file whose name looks like a memory file's.
	fake, err := os.Create(filepath.Join(t.TempDir(), "memfd"))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	change := func(f func(b []byte)) []byte {
		b := bytes.Clone(good.Bytes)
		f(b)
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":                          nil,
		"short":                            good.Bytes[:63],
		"long":                             append(bytes.Clone(good.Bytes), 0),
		"zeros":                            make([]byte, 64),
		"another name":                     change(func(b []byte) { b[20] ^= 1 }),
		"a process that does not exist":    change(func(b []byte) { copy(b[8:], "\xff\xff\xff\x7f") }),
		"another process":                  change(func(b []byte) { copy(b[8:], "\x01\x00\x00\x00") }),
		"a descriptor that does not exist": change(func(b []byte) { copy(b[12:], "\xff\xff\xff\xff") }),
		"a file":                           change(func(b []byte) { b[12], b[13], b[14], b[15] = byte(fake.Fd()), byte(fake.Fd()>>8), 0, 0 }),
	} {
		if m, err := (device.HostImporter{}).Import(b); !errors.Is(err, device.ErrBadHandle) {
			t.Errorf("%s: %v, %v, want ErrBadHandle", name, m, err)
		}
	}
}

func TestPrivateMemoryIsNotExported(t *testing.T) {
	d, err := device.Open("host", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	m, err := d.Allocate(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.(device.Exporter).Export(); err == nil {
		t.Error("it was exported")
	}
}
