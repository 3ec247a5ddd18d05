package stats

import (
	"math"
	"slices"
)

// Drift is how a series hangs together with its order.
type Drift struct {
	S     int     // pairs that rise less pairs that fall
	Tau   float64 // S of all pairs: 1 if every value is over those before
	P     float64 // two-sided
	Exact bool    // else by the normal approximation, corrected for ties and continuity
}

// mostOrdered is the longest series whose S is held against all its orders.
const mostOrdered = 50

// MannKendall tests whether a series drifts (Mann, "Nonparametric tests against
// trend", 1945; Kendall, "Rank Correlation Methods", 1948). Unlike Spearman's, its
// P is exact for a short series without ties. Of one value, or if all are equal,
// P is 1.
func MannKendall(series []float64) (Drift, error) {
	if err := finite(series); err != nil {
		return Drift{}, err
	}
	n := len(series)
	if n > 1<<30 {
		return Drift{}, ErrTooMany
	}
	pairs := n * (n - 1) / 2
	// Values by rank, ties by their run's length.
	values := sorted(series)
	tied, variance := 0, float64(n)*float64(n-1)*float64(2*n+5)
	for i := 0; i < n; {
		run := i
		for i < n && values[i] == values[run] {
			i++
		}
		t := i - run
		tied += t * (t - 1) / 2
		variance -= float64(t) * float64(t-1) * float64(2*t+5)
	}
	if tied == pairs {
		return Drift{P: 1, Exact: true}, nil
	}
	falling := inversions(slices.Clone(series), make([]float64, n))
	d := Drift{S: pairs - tied - 2*falling}
	d.Tau = float64(d.S) / float64(pairs)
	if tied == 0 && n <= mostOrdered {
		d.Exact = true
		d.P = orderP(n, min(falling, pairs-falling))
		return d, nil
	}
	distance := math.Max(0, math.Abs(float64(d.S))-1)
	d.P = math.Erfc(distance / math.Sqrt(variance/18) / math.Sqrt2)
	return d, nil
}

// inversions sorts xs by merging and counts the pairs that fall.
func inversions(xs, room []float64) int {
	if len(xs) < 2 {
		return 0
	}
	mid := len(xs) / 2
	a, b := xs[:mid], xs[mid:]
	count := inversions(a, room[:mid]) + inversions(b, room[mid:])
	merged := room[:0]
	for len(a) > 0 && len(b) > 0 {
		if a[0] <= b[0] {
			merged, a = append(merged, a[0]), a[1:]
			continue
		}
		count += len(a)
		merged, b = append(merged, b[0]), b[1:]
	}
	merged = append(append(merged, a...), b...)
	copy(xs, merged)
	return count
}

// orderP is the probability that a random order of n values has at most k
// inversions, or at most k pairs that rise. The n-th value put into an order of
// the others adds 0 to n-1 inversions, each as likely.
func orderP(n, k int) float64 {
	chances := make([]float64, k+1)
	chances[0] = 1
	for m := 2; m <= n; m++ {
		next := make([]float64, k+1)
		sum := 0.0
		for i := range next {
			sum = 0
			for j := max(0, i-m+1); j <= i; j++ {
				sum += chances[j]
			}
			next[i] = sum / float64(m)
		}
		chances = next
	}
	p := 0.0
	for _, chance := range chances {
		p += chance
	}
	return min(1, 2*p)
}
