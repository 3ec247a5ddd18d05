package stats

import (
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"
	"golang.org/x/perf/benchmath"
)

// mostTested bounds both arms of a test together: above it, the cube of a tie's
// length, which the library sums in integers, could overflow.
const mostTested = 2_000_000

// UTest is the result of a Mann-Whitney U test.
type UTest struct {
	U      float64 // pairs in which x is greater than y, plus half of the ties
	P      float64 // two-sided
	Exact  bool    // false: normal approximation, corrected for ties and continuity
	Doubts []string
}

// MannWhitney tests whether values of x tend to be greater or less than those of y
// (Mann and Whitney, "On a test of whether one of two random variables is
// stochastically larger than the other", 1947). P is benchmath's: exact up to
// 50 values an arm, with ties up to 25, by the distribution given those ties
// (Klotz, "The Wilcoxon, ties, and the computer", 1966). The arm that is less often
// the greater goes first: otherwise benchmath takes the wrong tail if ties make the
// distribution lopsided, and without ties it computes a small p by subtracting
// from 1.
func MannWhitney(x, y []float64) (UTest, error) {
	if err := finite(x, y); err != nil {
		return UTest{}, err
	}
	if len(x)+len(y) > mostTested {
		return UTest{}, ErrTooMany
	}
	a := benchmath.NewSample(slices.Clone(x), &benchmath.DefaultThresholds)
	b := benchmath.NewSample(slices.Clone(y), &benchmath.DefaultThresholds)
	test := UTest{U: countOver(a.Values, b.Values)}
	all := sorted(slices.Concat(x, y))
	if all[0] == all[len(all)-1] {
		test.P, test.Exact, test.Doubts = 1, true, []string{"all values are equal"}
		return test, nil
	}
	limit := stats.MannWhitneyExactLimit
	if len(slices.Compact(all)) < len(x)+len(y) {
		limit = stats.MannWhitneyTiesExactLimit
	}
	test.Exact = len(x) <= limit && len(y) <= limit
	if 2*test.U > float64(len(x))*float64(len(y)) {
		a, b = b, a
	}
	compared := benchmath.AssumeNothing.Compare(a, b)
	test.P = min(compared.P, 1)
	for _, doubt := range compared.Warnings {
		test.Doubts = append(test.Doubts, doubt.Error())
	}
	return test, nil
}

// countOver returns the number of pairs of sorted x and y in which x is greater,
// plus half of the ties.
func countOver(x, y []float64) float64 {
	var twice, under, upTo int
	for _, v := range x {
		for under < len(y) && y[under] < v {
			under++
		}
		for upTo < len(y) && y[upTo] <= v {
			upTo++
		}
		twice += under + upTo
	}
	return float64(twice) / 2
}

// SmallestP returns the least p of a U test of n1 and n2 values: that of two arms
// that do not overlap.
func SmallestP(n1, n2 int) float64 {
	if n1 < 1 || n2 < 1 {
		return 1
	}
	return min(1, 2*math.Exp(-logChoose(n1+n2, n1)))
}

// NeedPerArm returns the smallest n for which a U test of n and n values can
// reach p < alpha: 4 for 0.05. For the strictest of k tests under Holm's
// correction, ask for alpha/k.
func NeedPerArm(alpha float64) (int, error) {
	if err := level("significance", alpha); err != nil {
		return 0, err
	}
	n := 1
	for SmallestP(n, n) >= alpha {
		n++
	}
	return n, nil
}
