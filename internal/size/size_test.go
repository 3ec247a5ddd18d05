package size_test

import (
	"testing"

	"github.com/sllmq/sllmq/internal/size"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]int64{
		"1B": 1, "512KB": 512 << 10, "16MB": 16 << 20, "32GB": 32 << 30, "2TB": 2 << 40, "8388607TB": 8388607 << 40,
	} {
		got, err := size.Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "B", "GB", "32", "32G", "32gb", "0GB", "-1GB", "+1GB", "1.5GB", "32 GB", " 32GB", "32GBB", "9223372036854775808B", "8388608TB", "1e3MB", "٣GB"} {
		if got, err := size.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %d, want an error", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"32GB", "16MB", "1B", "0KB", "-5TB", "9999999999999999999GB", "GB", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := size.Parse(text)
		if err != nil {
			return
		}
		if n <= 0 {
			t.Fatalf("Parse(%q) = %d", text, n)
		}
		again, err := size.Parse(size.Exact(n))
		if err != nil || again != n {
			t.Fatalf("%q is %d, written %q, read %d, %v", text, n, size.Exact(n), again, err)
		}
	})
}
