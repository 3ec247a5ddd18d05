package plots

import (
	"testing"

	"github.com/sllmq/sllmq/plots/chart"
)

// The scale of a heat map only gets darker, so that it can be read in grey.
func TestHeatGetsDarker(t *testing.T) {
	m := heatMap{high: 1}
	last := 2.0
	for i := range 101 {
		l := chart.Lightness(m.colour(float64(i) / 100))
		if l > last {
			t.Errorf("lighter at %d %%", i)
		}
		last = l
	}
}

func TestBinary(t *testing.T) {
	for got, want := range map[string]string{binary(4096): "4K", binary(1 << 20): "1M", binary(3 << 29): "1.5G", binary(7): "7"} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
