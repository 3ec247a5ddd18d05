package machine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sllmq/sllmq/collector/machine"
)

func TestResidentAfterDropAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	const size = 8<<20 + 5
	if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
	if m, err := machine.Describe(t.Context(), path); err == nil && m.Filesystem != nil && *m.Filesystem == "tmpfs" {
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
