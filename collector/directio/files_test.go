package directio_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sllmq/sllmq/collector/directio"
)

func TestOpenAllLeavesNothingOpenWhenAFileIsMissing(t *testing.T) {
	dir := t.TempDir()
	there, missing := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := os.WriteFile(there, random(10), 0o644); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	if _, err := directio.OpenAll([]string{there, missing}, []int64{10, 10}, true); err == nil {
		t.Fatal("a missing file was opened")
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d files are open, want %d", after, before)
	}
	files, err := directio.OpenAll([]string{there, there}, []int64{10, 10}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 || files.Direct() {
		t.Errorf("%d files, direct %v", len(files), files.Direct())
	}
	if err := files.Close(); err != nil {
		t.Error(err)
	}
	if files.Close() == nil {
		t.Error("closing twice did not fail")
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
