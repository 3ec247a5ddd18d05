package plots

import (
	"testing"
)

func TestBinary(t *testing.T) {
	for got, want := range map[string]string{binary(4096): "4K", binary(1 << 20): "1M", binary(3 << 29): "1.5G", binary(7): "7"} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
