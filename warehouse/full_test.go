package warehouse_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/record"
)

// A full storage is an error of one line, when a warehouse is created and when it
// grows, and nothing half made is left.
func TestFullStorage(t *testing.T) {
	storage := t.TempDir()
	if err := unix.Mount("tmpfs", storage, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("no tmpfs of our own: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(storage, 0); err != nil {
			t.Error(err)
		}
	})
	path, fill := filepath.Join(storage, "w.duckdb"), filepath.Join(storage, "fill")
	full := func(left int64) {
		t.Helper()
		if err := os.RemoveAll(fill); err != nil {
			t.Fatal(err)
		}
		var free unix.Statfs_t
		if err := unix.Statfs(storage, &free); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fill, make([]byte, int64(free.Bavail)*free.Bsize-left), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(doing string, err error) {
		t.Helper()
		if !errors.Is(err, warehouse.ErrFull) || err.Error() != doing+" "+path+": no space left on its storage: free some, or name another with --warehouse" {
			t.Errorf("%v", err)
		}
	}
	for _, left := range []int64{0, 64 << 10, 512 << 10} {
		full(left)
		_, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{Write: true})
		refused("open warehouse", err)
		if entries, err := os.ReadDir(storage); err != nil || len(entries) != 1 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	store := warehouse.At(path, warehouse.Options{})
	batch := func(n int) (b record.Batch) {
		for i := range n {
			b.Machines = append(b.Machines, record.Machine{ID: strings.Repeat("m", i+1), Machine: strings.Repeat("vm", 500+i), FirstSeenAt: time.Unix(0, 0)})
		}
		return b
	}
	if err := store.Append(t.Context(), batch(1)); err != nil {
		t.Fatal(err)
	}
	full(0)
	refused("append to warehouse", store.Append(t.Context(), batch(2000)))
	// The rows before can still be read, and it grows when there is room.
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if err := store.Append(t.Context(), batch(2)); err != nil {
		t.Fatal(err)
	}
	db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.SQL().QueryRow("SELECT count(*) FROM machines").Scan(&n); err != nil || n != 2 {
		t.Errorf("%d machines, %v", n, err)
	}
}
