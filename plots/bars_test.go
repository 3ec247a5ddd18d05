package plots

import "testing"

func TestRatio(t *testing.T) {
	for got, want := range map[string]string{ratio(3.096): "3.10×", ratio(0.5): "0.50×", ratio(42): "42.0×", ratio(1234): "1234×", ratio(0.056): "0.056×"} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
