package machine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sllmq/sllmq/collector/machine"
)

func TestResidencyFollowsDropAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	const size = 8<<20 + 5
	if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
	if m, err := machine.Machine(path); err == nil && m.Filesystem != nil && *m.Filesystem == "tmpfs" {
		t.Skip("tmpfs has no page cache to drop")
	}
	check := func(when string, want int64) {
		t.Helper()
		got, err := machine.Resident([]string{path})
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: %d bytes resident, want %d", when, got, want)
		}
	}
	check("after writing", size)
	if err := machine.Drop([]string{path}); err != nil {
		t.Fatal(err)
	}
	check("after dropping", 0)

	before, err := machine.ReadUsage()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	after, err := machine.ReadUsage()
	if err != nil {
		t.Fatal(err)
	}
	check("after reading", size)
	if d := after.Sub(before).StorageReadBytes; d != nil && *d < size {
		t.Errorf("%d bytes read from storage, want at least %d", *d, size)
	}
}

func TestMachineIsTheSameTwice(t *testing.T) {
	dir := t.TempDir()
	a, err := machine.Machine(filepath.Join(dir, "not", "there", "yet"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := machine.Machine(filepath.Join(dir, "not", "there", "yet"))
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != b.ID || len(a.ID) != 16 {
		t.Errorf("ids %q and %q", a.ID, b.ID)
	}
	if a.Machine == "" || a.Kernel == nil || a.MemoryBytes == nil || a.Filesystem == nil {
		t.Errorf("a fact that Linux always tells is missing: %+v", a)
	}
	other, err := machine.Machine("/proc")
	if err != nil {
		t.Fatal(err)
	}
	if other.ID == a.ID {
		t.Error("another filesystem, and the same machine id")
	}
}

func TestAvailableMemoryIsBelowTotal(t *testing.T) {
	m, err := machine.Machine(".")
	if err != nil {
		t.Fatal(err)
	}
	got, err := machine.AvailableMemory()
	if err != nil {
		t.Fatal(err)
	}
	if got <= 0 || got > *m.MemoryBytes {
		t.Errorf("available %d of %d", got, *m.MemoryBytes)
	}
}
