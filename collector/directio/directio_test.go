package directio_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
)

func TestReadAtReturnsEveryByte(t *testing.T) {
	for _, size := range []int{1, 511, 4096, 4097, 1 << 20, 1<<20 + 513} {
		for _, direct := range []bool{true, false} {
			content := random(size)
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := readAll(path, int64(size), direct)
			if err != nil {
				t.Fatalf("%d bytes, direct %v: %v", size, direct, err)
			}
			if !bytes.Equal(got, content) {
				t.Errorf("%d bytes, direct %v: wrong bytes", size, direct)
			}
		}
	}
}

func TestATruncatedFileIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, random(70_000), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, direct := range []bool{true, false} {
		if _, err := readAll(path, 200_000, direct); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("direct %v: %v, want io.ErrUnexpectedEOF", direct, err)
		}
	}
}

func TestDirectIsFalseOnTmpfs(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "sllmq-test-")
	if err != nil {
		t.Skipf("no tmpfs: %v", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, random(5000), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := directio.Open(path, 5000, true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Direct {
		t.Error("O_DIRECT is reported for a file in tmpfs")
	}
	got, err := readAll(path, 5000, true)
	if err != nil || !bytes.Equal(got, random(5000)) {
		t.Errorf("read: %v, or wrong bytes", err)
	}
}

func readAll(path string, size int64, direct bool) ([]byte, error) {
	f, err := directio.Open(path, size, direct)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := hostmem.Map(1 << 16)
	if err != nil {
		return nil, err
	}
	defer hostmem.Unmap(b)
	b = b[: 1<<16 : 1<<16]
	var all []byte
	for offset := int64(0); offset < size; offset += int64(len(b)) {
		n, err := f.ReadAt(b, offset)
		if err != nil {
			return nil, err
		}
		all = append(all, b[:n]...)
	}
	return all, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b) // it never fails
	return b
}
