package stats

import (
	"math"
	"slices"
)

// Median returns the median of xs, which need not be sorted and are left as
// they are. It is NaN if there are none.
func Median(xs []float64) float64 { return Quantile(xs, 0.5) }

// Quantile returns the q-th quantile of xs, with q from 0 to 1, interpolating
// linearly between values: definition 7 of Hyndman and Fan, "Sample quantiles
// in statistical packages", 1996, as DuckDB's quantile_cont and NumPy have it.
// xs need not be sorted and are left as they are. It is NaN if there are none.
func Quantile(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	return quantile(sorted(xs), q)
}

// quantile is Quantile for a sorted sample of one value or more.
func quantile(sorted []float64, q float64) float64 {
	whole, part := math.Modf(q * float64(len(sorted)-1))
	at := int(whole)
	if part == 0 || sorted[at] == sorted[at+1] {
		return sorted[at]
	}
	return sorted[at]*(1-part) + sorted[at+1]*part
}

// middle is the median of a sorted sample of one value or more.
func middle(sorted []float64) float64 { return quantile(sorted, 0.5) }

// between is halfway from a to b. It does not overflow.
func between(a, b float64) float64 {
	if a == b {
		return a
	}
	return a/2 + b/2
}

// sorted returns a copy of xs in ascending order.
func sorted(xs []float64) []float64 {
	xs = slices.Clone(xs)
	slices.Sort(xs)
	return xs
}
