package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// draw is n lognormal values, some of them tied if ties.
func draw(random *rand.Rand, n int, ties bool) []float64 {
	xs := make([]float64, n)
	for i := range xs {
		xs[i] = math.Exp(random.NormFloat64() / 4)
		if ties {
			xs[i] = math.Round(8*xs[i]) / 8
		}
	}
	return xs
}

// mapped is f of each value. The factors and shifts below are powers of two or
// near them, so that ties stay ties.
func mapped(xs []float64, f func(float64) float64) []float64 {
	all := make([]float64, len(xs))
	for i, x := range xs {
		all[i] = f(x)
	}
	return all
}

func TestInvariance(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		ties := round%2 == 0
		x, y := draw(random, 1+random.IntN(70), ties), draw(random, 1+random.IntN(70), ties)
		scale := func(v float64) float64 { return v * 8 }
		shift := func(v float64) float64 { return v + 32 }
		mirror := func(v float64) float64 { return -v }
		what := fmt.Sprintf("round %d, %d and %d", round, len(x), len(y))

		s := must[Summary](t)(Summarize(x, 0.95))
		scaled := must[Summary](t)(Summarize(mapped(x, scale), 0.95))
		shifted := must[Summary](t)(Summarize(mapped(x, shift), 0.95))
		mirrored := must[Summary](t)(Summarize(mapped(x, mirror), 0.95))
		near(t, what+" median scaled", scaled.Median, 8*s.Median)
		near(t, what+" geometric mean scaled", scaled.GeometricMean, 8*s.GeometricMean)
		near(t, what+" mean shifted", shifted.Mean, s.Mean+32)
		if s.Interval.Known() {
			near(t, what+" high shifted", shifted.Interval.Hi, s.Interval.Hi+32)
			near(t, what+" high mirrored", mirrored.Interval.Hi, -s.Interval.Lo)
		}
		if s.Interval.Lo > s.Median || s.Interval.Hi < s.Median {
			t.Errorf("%s: %+v", what, s)
		}

		u := must[UTest](t)(MannWhitney(x, y))
		swapped := must[UTest](t)(MannWhitney(y, x))
		near(t, what+" U swapped", swapped.U, float64(len(x)*len(y))-u.U)
		near(t, what+" p swapped", swapped.P, u.P)
		for _, f := range []func(float64) float64{scale, shift, mirror} {
			near(t, what+" p mapped", must[UTest](t)(MannWhitney(mapped(x, f), mapped(y, f))).P, u.P)
		}

		hl := must[Shift](t)(HodgesLehmann(x, y, 0.95))
		back := must[Shift](t)(HodgesLehmann(y, x, 0.95))
		moved := must[Shift](t)(HodgesLehmann(x, mapped(y, shift), 0.95))
		near(t, what+" shift swapped", back.Estimate, -hl.Estimate)
		near(t, what+" shift moved", moved.Estimate, hl.Estimate+32)
		if hl.Interval.Known() {
			near(t, what+" interval swapped", back.Interval.Hi, -hl.Interval.Lo)
			near(t, what+" interval moved", moved.Interval.Lo, hl.Interval.Lo+32)
		}
		factor := must[Shift](t)(HodgesLehmannRatio(x, y, 0.95))
		near(t, what+" factor swapped", must[Shift](t)(HodgesLehmannRatio(y, x, 0.95)).Estimate, 1/factor.Estimate)
		near(t, what+" factor scaled", must[Shift](t)(HodgesLehmannRatio(x, mapped(y, scale), 0.95)).Estimate, 8*factor.Estimate)
		// The interval and the test are the same thing, where there are no ties.
		if !ties && hl.Interval.Known() && len(x) <= 50 && len(y) <= 50 && (u.P < 0.05) != (hl.Interval.Lo > 0 || hl.Interval.Hi < 0) {
			t.Errorf("%s: p %v and interval %+v", what, u.P, hl.Interval)
		}

		dip := must[Dip](t)(DipTest(x))
		for _, f := range []func(float64) float64{scale, shift, mirror} {
			near(t, what+" dip mapped", must[Dip](t)(DipTest(mapped(x, f))).D, dip.D)
		}
		out := must[[]int](t)(OutliersTukey(x, TukeyCutoff))
		if !slices.Equal(out, must[[]int](t)(OutliersTukey(mapped(x, scale), TukeyCutoff))) {
			t.Errorf("%s: outliers scaled", what)
		}
	}
}

func TestNothingIsChangedAndSeedsDecide(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	x, y := draw(random, 40, false), draw(random, 30, false)
	before, after := [][]float64{x[:20], x[20:]}, [][]float64{y[:10], y[10:20], y[20:]}
	keep := slices.Concat(x, y)
	a := must[Comparison](t)(Compare(t.Context(), before, after, CompareOptions{Confidence: 0.95, Seed: 7}))
	b := must[Comparison](t)(Compare(t.Context(), before, after, CompareOptions{Confidence: 0.95, Seed: 7}))
	c := must[Comparison](t)(Compare(t.Context(), before, after, CompareOptions{Confidence: 0.95, Seed: 8}))
	if a.Ratio.Interval != b.Ratio.Interval {
		t.Errorf("one seed, two intervals: %v and %v", a.Ratio.Interval, b.Ratio.Interval)
	}
	if a.Ratio.Interval == c.Ratio.Interval {
		t.Errorf("two seeds, one interval: %v", a.Ratio.Interval)
	}
	for _, call := range calls {
		if err := call(x); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(keep, slices.Concat(x, y)) {
		t.Error("a sample was sorted in place")
	}
}

// A factor on one arm is the factor of the ratio and of its interval.
func TestRatioScales(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, sessions := range []int{1, 2, 5} {
		var before, after, scaled [][]float64
		for range sessions {
			before = append(before, draw(random, 9, false))
			after = append(after, draw(random, 12, false))
			scaled = append(scaled, mapped(after[len(after)-1], func(v float64) float64 { return 4 * v }))
		}
		r := must[Ratio](t)(ratioOfMedians(t.Context(), before, after, 0.95, 1, mostDraws))
		s := must[Ratio](t)(ratioOfMedians(t.Context(), before, scaled, 0.95, 1, mostDraws))
		near(t, "estimate", s.Estimate, 4*r.Estimate)
		near(t, "low", s.Interval.Lo, 4*r.Interval.Lo)
		near(t, "high", s.Interval.Hi, 4*r.Interval.Hi)
		if r.Interval.Lo > r.Estimate || r.Interval.Hi < r.Estimate {
			t.Errorf("%d sessions: %+v", sessions, r)
		}
	}
}

func TestHolmIsMonotone(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		ps := make([]float64, 1+random.IntN(20))
		for i := range ps {
			ps[i] = random.Float64() * random.Float64()
		}
		corrected := must[[]float64](t)(Holm(ps))
		for i := range ps {
			if corrected[i] < ps[i] || corrected[i] > 1 || corrected[i] > min(1, float64(len(ps))*ps[i]) {
				t.Errorf("%v became %v", ps, corrected)
			}
			for k := range ps {
				if ps[i] < ps[k] && corrected[i] > corrected[k] {
					t.Errorf("%v became %v", ps, corrected)
				}
			}
		}
	}
}

// However small, p is over 0 and the same from both sides.
func TestSmallP(t *testing.T) {
	for _, n := range []int{20, 50, 60, 2000} {
		for _, ties := range []bool{false, true} {
			x, y := make([]float64, n), make([]float64, n)
			for i := range x {
				x[i], y[i] = float64(i), float64(n+i)
				if ties {
					x[i], y[i] = float64(i/2), float64(n+i/2)
				}
			}
			p, q := must[UTest](t)(MannWhitney(x, y)).P, must[UTest](t)(MannWhitney(y, x)).P
			if n < 2000 && (p <= 0 || p > 1e-8) || math.Abs(p/q-1) > 1e-9 && p != q {
				t.Errorf("%d, ties %v: %v and %v", n, ties, p, q)
			}
		}
	}
}
