package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// arms draws two arms whose true ratio is 1: loads with a skewed error, and
// sessions that share their luck.
func arms(random *rand.Rand, sessions, loads int, luck float64) (before, after [][]float64) {
	one := func() [][]float64 {
		var all [][]float64
		for range sessions {
			mine := math.Exp(luck * random.NormFloat64())
			xs := make([]float64, loads)
			for i := range xs {
				xs[i] = mine * (1 + 0.05*random.ExpFloat64())
			}
			all = append(all, xs)
		}
		return all
	}
	return one(), one()
}

// TestCoverage counts how often the intervals of two arms without a change
// hold 1. Its seed is fixed, so it says the same each time.
func TestCoverage(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	for _, c := range []struct {
		sessions, loads int
		luck            float64
		ratio, factor   float64 // at least, of an interval that says 0.95
	}{
		{1, 3, 0, 0, 1},
		{1, 4, 0, 0, 0.95},
		{1, 6, 0, 0.93, 0.95},
		{1, 10, 0, 0.93, 0.95},
		{1, 30, 0, 0.93, 0.94},
		{3, 10, 0.03, 0, 1},
		{4, 10, 0.03, 0, 0.95},
		{6, 10, 0.03, 0.93, 0.95},
		{10, 10, 0.03, 0.93, 0.95},
		{20, 5, 0.03, 0.93, 0.94},
		{3, 10, 0.3, 0, 1},
		{6, 10, 0.3, 0.93, 0.95},
	} {
		random := rand.New(rand.NewPCG(11, 12))
		const rounds = 600
		ratio, factor, slower := 0.0, 0.0, 0.0
		for round := range rounds {
			before, after := arms(random, c.sessions, c.loads, c.luck)
			drawn := must[Ratio](t)(ratioOfMedians(t.Context(), before, after, 0.95, uint64(round), 399))
			if i := drawn.Interval; i.Lo <= 1 && i.Hi >= 1 {
				ratio += 1.0 / rounds
			}
			x, y := Units(before), Units(after)
			shift := must[Shift](t)(HodgesLehmannRatio(x, y, 0.95))
			if i := shift.Interval; i.Lo <= 1 && i.Hi >= 1 {
				factor += 1.0 / rounds
			}
			c := Comparison{Factor: shift, Test: must[UTest](t)(MannWhitney(x, y))}
			if must[Decision](t)(Gate{Alpha: 0.05}.Decide(c.Evidence())).Verdict == Regression {
				slower += 1.0 / rounds
			}
		}
		what := fmt.Sprintf("%d sessions of %d loads, luck %v", c.sessions, c.loads, c.luck)
		t.Logf("%s: ratio of medians %.3f, factor %.3f, false regressions %.3f", what, ratio, factor, slower)
		// 2 % is two standard deviations of what is counted.
		if ratio < c.ratio-0.02 || factor < c.factor-0.02 || slower > 0.045 {
			t.Errorf("%s: ratio of medians %.3f, factor %.3f, false regressions %.3f", what, ratio, factor, slower)
		}
	}
}
