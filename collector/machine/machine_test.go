package machine_test

import (
	"path/filepath"
	"testing"

	"github.com/sllmq/sllmq/collector/machine"
)

func TestTheIDIsStable(t *testing.T) {
	dir := t.TempDir()
	a, err := machine.Describe(t.Context(), filepath.Join(dir, "not", "there", "yet"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := machine.Describe(t.Context(), filepath.Join(dir, "not", "there", "yet"))
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != b.ID || len(a.ID) != 16 {
		t.Errorf("ids %q and %q", a.ID, b.ID)
	}
	if a.Machine == "" || a.Kernel == nil || a.MemoryBytes == nil || a.Filesystem == nil {
		t.Errorf("a fact that Linux always reports is missing: %+v", a)
	}
	other, err := machine.Describe(t.Context(), "/proc")
	if err != nil {
		t.Fatal(err)
	}
	if other.ID == a.ID {
		t.Error("another filesystem has the same machine ID")
	}
}

func TestAvailableMemoryIsBelowTotal(t *testing.T) {
	m, err := machine.Describe(t.Context(), ".")
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
