package stats

import (
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"
	"golang.org/x/perf/benchmath"
)

// mostTested bounds both arms of a test together: over it, the cube of a tie's
// length, which the library adds up in integers, could overflow.
const mostTested = 2_000_000

// UTest is the answer of a Mann-Whitney U test.
type UTest struct {
	U      float64 // pairs in which x is over y, ties as halves
	P      float64 // two-sided
	Exact  bool    // else by the normal approximation, corrected for ties and continuity
	Doubts []string
}

// MannWhitney tests whether values of x tend to be over or under those of y
// (Mann and Whitney, "On a test of whether one of two random variables is
// stochastically larger than the other", 1947). P is benchmath's, exact up to 50
// values an arm. With ties it is exact up to 25, by the distribution given those
// ties (Klotz, "The Wilcoxon, ties, and the computer", 1966): with arms of
// different sizes that is lopsided, which benchmath does not see, so there the
// smaller tail is doubled here.
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
	ties, tied := tieRuns(sorted(slices.Concat(x, y)))
	if len(ties) == 1 {
		test.P, test.Exact, test.Doubts = 1, true, []string{"all values are equal"}
		return test, nil
	}
	limit := stats.MannWhitneyExactLimit
	if tied {
		limit = stats.MannWhitneyTiesExactLimit
	}
	test.Exact = len(x) <= limit && len(y) <= limit
	over := float64(len(x))*float64(len(y)) - test.U // U of the arms swapped
	if over < test.U {
		a, b = b, a // the lower tail is told without cancellation
	}
	compared := benchmath.AssumeNothing.Compare(a, b)
	test.P = compared.P
	for _, doubt := range compared.Warnings {
		test.Doubts = append(test.Doubts, doubt.Error())
	}
	if tied && test.Exact {
		u, swapped := stats.UDist{N1: len(x), N2: len(y), T: ties}, stats.UDist{N1: len(y), N2: len(x), T: ties}
		test.P = 2 * min(u.CDF(test.U), swapped.CDF(over))
	}
	test.P = min(test.P, 1)
	return test, nil
}

// tieRuns is how often each value is there, and whether any is more than once.
func tieRuns(sorted []float64) (runs []int, tied bool) {
	for i, x := range sorted {
		if i > 0 && x == sorted[i-1] {
			runs[len(runs)-1]++
			tied = true
			continue
		}
		runs = append(runs, 1)
	}
	return runs, tied
}

// countOver is the number of pairs of sorted x and y in which x is over y, a
// tie counting as half.
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

// SmallestP is the least p that a U test of n1 and n2 values can reach: that
// of two arms that do not overlap.
func SmallestP(n1, n2 int) float64 {
	if n1 < 1 || n2 < 1 {
		return 1
	}
	return min(1, 2*math.Exp(-logChoose(n1+n2, n1)))
}

// NeedPerArm is the smallest n with which a U test of n against n values could
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
