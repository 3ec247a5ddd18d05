package plots

import (
	"math"
	"strconv"
)

// ratio writes how many times.
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

// number is v in full, for csv.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}

// binary writes a size as people who choose I/O sizes do: 256K, 1M.
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

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// named begins a text with the model and the arm.
func named(model, arm string) string {
	switch {
	case model == "":
		return arm
	case arm == "":
		return model
	}
	return model + ", " + arm
}
