package stats

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
)

// FuzzSamples gives any sample of floats to every function: it has to answer,
// or to say which of the known errors it is.
func FuzzSamples(f *testing.F) {
	add := func(xs ...float64) {
		var data []byte
		for _, x := range xs {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(x))
		}
		f.Add(data)
	}
	add()
	add(1)
	add(1, 1, 1, 1, 2)
	add(0, math.Copysign(0, -1), 5e-324, -5e-324)
	add(math.MaxFloat64, -math.MaxFloat64, 1, 2, 3, 4, 5)
	add(1, 2, 3, 4, 5, 6, 7, 8, 9, 100, math.NaN())
	f.Fuzz(func(t *testing.T, data []byte) {
		var xs []float64
		for ; len(data) >= 8 && len(xs) < 60; data = data[8:] {
			xs = append(xs, math.Float64frombits(binary.LittleEndian.Uint64(data)))
		}
		for name, call := range calls {
			if strings.HasPrefix(name, "Ratio") || strings.HasPrefix(name, "Compare") {
				continue // thousands of draws a call
			}
			err := call(xs)
			if err != nil && !errors.Is(err, ErrEmpty) && !errors.Is(err, ErrNotFinite) && !errors.Is(err, ErrNotPositive) {
				t.Errorf("%s of %v: %v", name, xs, err)
			}
		}
		if finite(xs) != nil {
			return
		}
		if d, _ := DipTest(xs); !(d.D >= 0.5/float64(len(xs))*(1-1e-9) && d.D <= 0.5 && d.P > 0 && d.P <= 1) {
			t.Errorf("dip of %v: %+v", xs, d)
		}
		if u, _ := MannWhitney(xs, xs[:1]); !(u.P > 0 && u.P <= 1) {
			t.Errorf("U test of %v: %+v", xs, u)
		}
		if s, _ := Summarize(xs, 0.5); !(s.Interval.Lo <= s.Median && s.Median <= s.Interval.Hi) {
			t.Errorf("summary of %v: %+v", xs, s)
		}
	})
}
