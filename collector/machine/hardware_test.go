package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFreePageReporting(t *testing.T) {
	root := t.TempDir()
	write := func(device, kind, features string) {
		t.Helper()
		dir := filepath.Join(root, device)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"device": kind, "features": features} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	none := strings.Repeat("0", 64)
	write("virtio0", "0x0002", none[:5]+"1"+none[6:]) // a disk's feature is another
	if got := freePageReporting(root); got != nil {
		t.Errorf("without a balloon: %v", *got)
	}
	write("virtio1", "0x0005", "01100")
	if got := freePageReporting(root); got != nil {
		t.Errorf("a balloon without that feature: %v", *got)
	}
	write("virtio1", "0x0005", none)
	if got := freePageReporting(root); got == nil || *got {
		t.Errorf("a balloon that does not report: %v", got)
	}
	write("virtio1", "0x0005", none[:5]+"1"+none[6:])
	if got := freePageReporting(root); got == nil || !*got {
		t.Errorf("a balloon that reports: %v", got)
	}
}
