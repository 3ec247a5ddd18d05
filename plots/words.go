package plots

import (
	"math"
	"strconv"
)

// ratio writes a factor: 3.10×.
func ratio(v float64) string {
	switch {
	case v >= 1e6 || v < 0.095:
		return strconv.FormatFloat(v, 'g', 2, 64) + "×"
	case v >= 99.5:
		return strconv.FormatFloat(v, 'f', 0, 64) + "×"
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64) + "×"
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + "×"
}

// number writes v in full, for CSV.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// optional is number, empty for nil.
func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}

// binary writes a size as I/O sizes are usually written: 256K, 1M.
func binary(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}} {
		if n >= u.size {
			return strconv.FormatFloat(math.Round(float64(n)/float64(u.size)*100)/100, 'f', -1, 64) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// plural counts things.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
