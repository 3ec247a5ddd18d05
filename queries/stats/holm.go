package stats

import (
	"cmp"
	"fmt"
	"slices"
)

// Holm corrects the p-values of a family of tests, so that the probability of
// any false finding among those below alpha is at most alpha, however the tests
// depend on each other (Holm, "A simple sequentially rejective multiple test
// procedure", 1979). The result is in the order of ps.
func Holm(ps []float64) ([]float64, error) {
	order := make([]int, len(ps))
	for i, p := range ps {
		if !(p >= 0 && p <= 1) {
			return nil, fmt.Errorf("p-value %d is %v: %w", i, p, ErrLevel)
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ps[a], ps[b]) })
	corrected := make([]float64, len(ps))
	least := 0.0
	for i, at := range order {
		least = max(least, min(1, float64(len(ps)-i)*ps[at]))
		corrected[at] = least
	}
	return corrected, nil
}
