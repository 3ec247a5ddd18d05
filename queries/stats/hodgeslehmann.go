package stats

import (
	"fmt"
	"math"

	"github.com/aclements/go-moremath/stats"
)

// Shift is the distance from one sample to another.
type Shift struct {
	Estimate float64
	Interval Interval
	Exact    bool // false: the interval rests on the normal approximation
	Doubts   []string
}

// HodgesLehmann returns the median of all differences y - x, and the interval of
// the shifts that a U test would not reject (Hodges and Lehmann, "Estimates of
// location based on rank tests", 1963; Lehmann, "Nonparametric confidence
// intervals for a shift parameter", 1963). With ties the interval is wider than
// necessary. It does not enumerate the differences: time is O(n log n).
func HodgesLehmann(x, y []float64, confidence float64) (Shift, error) {
	if err := finite(x, y); err != nil {
		return Shift{}, err
	}
	if err := level("confidence", confidence); err != nil {
		return Shift{}, err
	}
	d := differences{x: sorted(x), y: sorted(y)}
	n := len(x) * len(y)
	shift := Shift{Estimate: between(d.nth((n+1)/2), d.nth(n/2+1))}
	order, real, exact := shiftOrder(len(x), len(y), confidence)
	shift.Exact = exact
	if order == 0 {
		shift.Interval = Interval{Lo: math.Inf(-1), Hi: math.Inf(1), Confidence: 1}
		need := 1
		for SmallestP(need, need) > 1-confidence {
			need++
		}
		shift.Doubts = append(shift.Doubts, fmt.Sprintf("a %s interval of the shift needs ≥ %d values per arm", percent(confidence), need))
		return shift, nil
	}
	shift.Interval = Interval{Lo: d.nth(order), Hi: d.nth(n + 1 - order), Confidence: real}
	return shift, nil
}

// HodgesLehmannRatio is the same for the factor from x to y, both positive: the
// exponential of the shift of their logarithms. An unknown interval runs from 0
// to infinity.
func HodgesLehmannRatio(x, y []float64, confidence float64) (Shift, error) {
	if err := positive(x, y); err != nil {
		return Shift{}, err
	}
	shift, err := HodgesLehmann(logs(x), logs(y), confidence)
	if err != nil {
		return Shift{}, err
	}
	shift.Estimate = math.Exp(shift.Estimate)
	shift.Interval.Lo = math.Exp(shift.Interval.Lo)
	shift.Interval.Hi = math.Exp(shift.Interval.Hi)
	return shift, nil
}

func logs(xs []float64) []float64 {
	all := make([]float64, len(xs))
	for i, x := range xs {
		all[i] = math.Log(x)
	}
	return all
}

// shiftOrder returns the largest k for which the k-th smallest and the k-th
// largest difference enclose the shift with at least this confidence, and their
// confidence, 1 - 2 P(U < k). k is 0 if there is none.
func shiftOrder(n1, n2 int, confidence float64) (k int, real float64, exact bool) {
	exact = n1 <= stats.MannWhitneyExactLimit && n2 <= stats.MannWhitneyExactLimit
	u := stats.UDist{N1: n1, N2: n2}
	middle := float64(n1) * float64(n2) / 2
	spread := math.Sqrt(float64(n1) * float64(n2) * float64(n1+n2+1) / 12)
	under := func(k int) float64 { // P(U < k)
		if exact {
			return u.CDF(float64(k - 1))
		}
		return math.Erfc((middle-float64(k)+0.5)/spread/math.Sqrt2) / 2
	}
	lo, hi := 0, (n1*n2+1)/2+1 // lo does, hi does not
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; under(mid) <= (1-confidence)/2 {
			lo = mid
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return 0, 1, exact
	}
	return lo, 1 - 2*under(lo), exact
}

// differences are all y - x of two sorted samples.
type differences struct{ x, y []float64 }

// nth returns the n-th smallest difference, counted from 1. It bisects the
// numbers between the least and the greatest, in the order of their bits, at most
// 64 times.
func (d differences) nth(n int) float64 {
	lo := ordinal(d.y[0] - d.x[len(d.x)-1])
	hi := ordinal(d.y[len(d.y)-1] - d.x[0])
	for lo < hi {
		mid := lo + (hi-lo)/2
		if d.upTo(fromOrdinal(mid)) >= n {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return fromOrdinal(lo) + 0 // no negative zero
}

// upTo counts the differences up to a limit.
func (d differences) upTo(limit float64) int {
	count, j := 0, 0
	for _, x := range d.x {
		for j < len(d.y) && d.y[j]-x <= limit {
			j++
		}
		count += j
	}
	return count
}

// ordinal numbers floats in ascending order.
func ordinal(f float64) uint64 {
	bits := math.Float64bits(f)
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

func fromOrdinal(n uint64) float64 {
	if n>>63 == 0 {
		return math.Float64frombits(^n)
	}
	return math.Float64frombits(n &^ (1 << 63))
}
