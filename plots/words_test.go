package plots

import "testing"

func TestNumbersInWords(t *testing.T) {
	for got, want := range map[string]string{
		ratio(3.096): "3.10×", ratio(0.5): "0.50×", ratio(42): "42.0×", ratio(1234): "1234×", ratio(0.056): "0.056×",
		binary(4096): "4K", binary(1 << 20): "1M", binary(3 << 29): "1.5G", binary(7): "7",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
