package scratch_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sllmq/sllmq/internal/scratch"
)

func TestAbandonedFoldersAreRemoved(t *testing.T) {
	parent := t.TempDir()
	for _, name := range []string{".new-a-1", ".new-a-2", ".new-b-1", "data"} {
		if err := os.MkdirAll(filepath.Join(parent, name, "part"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	alive, err := scratch.New(parent, ".new-b-")
	if err != nil {
		t.Fatal(err)
	}
	mine, err := scratch.New(parent, ".new-a-")
	if err != nil {
		t.Fatal(err)
	}
	if err := scratch.Sweep(parent, ".new-"); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{filepath.Base(alive.Path): true, filepath.Base(mine.Path): true, "data": true}
	entries, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !want[e.Name()] {
			t.Errorf("%s is still there", e.Name())
		}
		delete(want, e.Name())
	}
	for name := range want {
		t.Errorf("%s is gone", name)
	}
	if err := mine.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mine.Path); !os.IsNotExist(err) {
		t.Errorf("removed: %v", err)
	}
	if err := alive.Release(); err != nil {
		t.Fatal(err)
	}
	if err := scratch.Sweep(parent, ".new-"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(alive.Path); !os.IsNotExist(err) {
		t.Errorf("released, then swept: %v", err)
	}
}

// Folders made at the same time do not remove one another.
func TestConcurrentFoldersSurvive(t *testing.T) {
	parent := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				d, err := scratch.New(parent, "new-")
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(d.Path, "row"), []byte("1"), 0o644); err != nil {
					t.Error(err)
				}
				if err := d.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if entries, err := os.ReadDir(parent); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}
