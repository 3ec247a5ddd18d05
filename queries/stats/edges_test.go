package stats

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// calls are all functions of samples, each given one sample in every place.
var calls = map[string]func([]float64) error{
	"Summarize":          func(xs []float64) error { _, err := Summarize(xs, 0.95); return err },
	"MannWhitney":        func(xs []float64) error { _, err := MannWhitney(xs, xs); return err },
	"HodgesLehmann":      func(xs []float64) error { _, err := HodgesLehmann(xs, xs, 0.95); return err },
	"HodgesLehmannRatio": func(xs []float64) error { _, err := HodgesLehmannRatio(xs, xs, 0.95); return err },
	"GeometricMean":      func(xs []float64) error { _, err := GeometricMean(xs); return err },
	"RatioOfMedians": func(xs []float64) error {
		_, err := ratioOfMedians(context.Background(), [][]float64{xs}, [][]float64{xs}, 0.95, 1, mostDraws)
		return err
	},
	"RatioOfMedians, sessions": func(xs []float64) error {
		_, err := ratioOfMedians(context.Background(), [][]float64{xs, xs}, [][]float64{xs, xs, xs}, 0.95, 1, mostDraws)
		return err
	},
	"Compare": func(xs []float64) error {
		_, err := Compare(context.Background(), [][]float64{xs}, [][]float64{xs}, CompareOptions{Confidence: 0.95, Seed: 1})
		return err
	},
	"Compare, sessions": func(xs []float64) error {
		_, err := Compare(context.Background(), [][]float64{xs, xs}, [][]float64{xs, xs}, CompareOptions{Confidence: 0.95, Seed: 1})
		return err
	},
	"OutliersTukey": func(xs []float64) error { _, err := OutliersTukey(xs, TukeyCutoff); return err },
	"DipTest":       func(xs []float64) error { _, err := DipTest(xs); return err },
	"ChangePoints":  func(xs []float64) error { _, err := ChangePoints(context.Background(), xs, 0.05, 1); return err },
}

func TestWhatIsNoNumberIsRefused(t *testing.T) {
	for name, call := range calls {
		if err := call(nil); !errors.Is(err, ErrEmpty) {
			t.Errorf("%s of nothing: %v", name, err)
		}
		for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			if err := call([]float64{1, 2, x, 3}); !errors.Is(err, ErrNotFinite) {
				t.Errorf("%s of %v: %v", name, x, err)
			}
		}
		for _, xs := range [][]float64{{1}, {2, 2}, {1e-300, 1e300}, {5e-324, math.MaxFloat64, 1}, {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}} {
			if err := call(xs); err != nil {
				t.Errorf("%s of %v: %v", name, xs, err)
			}
		}
	}
	for _, name := range []string{"GeometricMean", "HodgesLehmannRatio", "RatioOfMedians", "Compare"} {
		for _, x := range []float64{0, -1} {
			if err := calls[name]([]float64{1, x}); !errors.Is(err, ErrNotPositive) {
				t.Errorf("%s of %v: %v", name, x, err)
			}
		}
	}
	if _, err := Compare(t.Context(), nil, [][]float64{{1}}, CompareOptions{Confidence: 0.95, Seed: 1}); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
	if _, err := Compare(t.Context(), [][]float64{{1}, {}}, [][]float64{{1}, {2}}, CompareOptions{Confidence: 0.95, Seed: 1}); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
}

func TestLevelsAreInsideZeroAndOne(t *testing.T) {
	xs := []float64{1, 2, 3}
	for _, bad := range []float64{0, 1, -1, 2, math.NaN()} {
		_, summary := Summarize(xs, bad)
		_, shift := HodgesLehmann(xs, xs, bad)
		_, ratio := ratioOfMedians(t.Context(), [][]float64{xs}, [][]float64{xs}, bad, 1, mostDraws)
		_, noise := NoiseFloor([][2]float64{{1, 2}}, bad)
		_, points := ChangePoints(t.Context(), xs, bad, 1)
		_, need := NeedPerArm(bad)
		_, gate := Gate{Alpha: bad}.Decide(Evidence{Ratio: 1, P: 1})
		for i, err := range []error{summary, shift, ratio, noise, points, need, gate} {
			if !errors.Is(err, ErrLevel) {
				t.Errorf("%d at %v: %v", i, bad, err)
			}
		}
	}
	for _, bad := range []float64{-0.1, 1.1, math.NaN()} {
		if _, err := Holm([]float64{0.5, bad}); !errors.Is(err, ErrLevel) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if ps, err := Holm(nil); err != nil || len(ps) != 0 {
		t.Error(ps, err)
	}
}

func TestNeeds(t *testing.T) {
	for confidence, want := range map[float64]int{0.5: 2, 0.9: 5, 0.95: 6, 0.99: 8} {
		if got := must[int](t)(MedianNeed(confidence)); got != want {
			t.Errorf("median at %v needs %d, want %d", confidence, got, want)
		}
	}
	for alpha, want := range map[float64]int{0.5: 2, 0.05: 4, 0.01: 5, 0.05 / 10: 6} {
		if got := must[int](t)(NeedPerArm(alpha)); got != want {
			t.Errorf("significance %v needs %d an arm, want %d", alpha, got, want)
		}
	}
	if SmallestP(0, 5) != 1 || SmallestP(1, 1) != 1 {
		t.Error(SmallestP(0, 5), SmallestP(1, 1))
	}
	one := must[Summary](t)(Summarize([]float64{7}, 0.95))
	if one.Median != 7 || one.Mean != 7 || one.Interval.Known() || one.Interval.Confidence != 1 || one.Doubts[0] != "a 95 % interval of the median needs ≥ 6 values" {
		t.Errorf("%+v", one)
	}
	ratio := must[Ratio](t)(ratioOfMedians(t.Context(), [][]float64{{2}}, [][]float64{{3, 3}}, 0.95, 1, mostDraws))
	if ratio.Estimate != 1.5 || ratio.Interval.Known() || len(ratio.Doubts) != 1 {
		t.Errorf("%+v", ratio)
	}
}

// The library alone says 0 here.
func TestLopsidedTies(t *testing.T) {
	x, y := []float64{0, 0, 1, 1, 1, 1}, []float64{0}
	near(t, "p", must[UTest](t)(MannWhitney(x, y)).P, 6.0/7) // 3 of 7 places for y are among the zeros
	near(t, "p swapped", must[UTest](t)(MannWhitney(y, x)).P, 6.0/7)
}

func TestAllEqual(t *testing.T) {
	for _, n := range []int{1, 2, 6, 60, 300_000} {
		xs := make([]float64, n)
		for i := range xs {
			xs[i] = 0.1
		}
		s := must[Summary](t)(Summarize(xs, 0.95))
		if s.Median != 0.1 || s.Mean != 0.1 || s.GeometricMean != 0.1 || n >= 6 && (s.Interval.Lo != 0.1 || s.Interval.Hi != 0.1) {
			t.Errorf("%d: %+v", n, s)
		}
		u := must[UTest](t)(MannWhitney(xs, xs))
		if u.P != 1 || u.U != float64(n)*float64(n)/2 || len(u.Doubts) != 1 {
			t.Errorf("%d: %+v", n, u)
		}
		shift := must[Shift](t)(HodgesLehmannRatio(xs, xs, 0.95))
		if shift.Estimate != 1 || n >= 4 && (shift.Interval.Lo != 1 || shift.Interval.Hi != 1) {
			t.Errorf("%d: %+v", n, shift)
		}
		if d := must[Dip](t)(DipTest(xs)); d.P != 1 {
			t.Errorf("%d: %+v", n, d)
		}
		if out := must[[]int](t)(OutliersTukey(xs, TukeyCutoff)); out != nil {
			t.Errorf("%d: %v", n, out)
		}
		if n > longestSeries {
			if _, err := ChangePoints(t.Context(), xs, 0.05, 1); !errors.Is(err, ErrTooMany) {
				t.Error(err)
			}
			continue
		}
		if points := must[[]ChangePoint](t)(ChangePoints(t.Context(), xs, 0.05, 1)); points != nil {
			t.Errorf("%d: %v", n, points)
		}
	}
}

// Each of these would take minutes if it laid all pairs or resamples out.
func TestLargeSamples(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	xs, ys := make([]float64, 100_000), make([]float64, 100_000)
	for i := range xs {
		xs[i], ys[i] = math.Exp(random.NormFloat64()), 1.1*math.Exp(random.NormFloat64())
	}
	start := time.Now()
	lap := func(what string) {
		t.Logf("%s: %v", what, time.Since(start).Round(time.Millisecond))
		start = time.Now()
	}
	c := must[Comparison](t)(Compare(t.Context(), [][]float64{xs}, [][]float64{ys}, CompareOptions{Confidence: 0.95, Seed: 1}))
	lap("compare 100,000 with 100,000")
	within(t, "ratio", c.Ratio.Estimate, 1.1, 0.05)
	within(t, "factor", c.Factor.Estimate, 1.1, 0.03)
	if c.Test.P > 1e-6 || c.Factor.Interval.Lo < 1.05 || c.Factor.Interval.Hi > 1.15 {
		t.Errorf("%+v", c)
	}
	must[Dip](t)(DipTest(xs))
	lap("dip of 100,000")
	series := xs[:10_000]
	for i := range series[4000:] {
		series[4000+i] *= 1.5
	}
	points := must[[]ChangePoint](t)(ChangePoints(t.Context(), series, 0.05, 1))
	lap("change points of 10,000")
	if len(points) == 0 || math.Abs(float64(points[0].Index-4000)) > 200 {
		t.Error(points)
	}
}

func TestMedianAndQuantile(t *testing.T) {
	xs := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.25: 1.75, 0.5: 2.5, 1: 4} {
		if got := Quantile(xs, q); got != want {
			t.Errorf("Quantile(%v, %v) = %v, want %v", xs, q, got, want)
		}
	}
	if got := Median(xs[:3]); got != 3 || xs[0] != 4 {
		t.Errorf("Median = %v of %v", got, xs)
	}
	if got := Median([]float64{math.MaxFloat64, math.MaxFloat64}); got != math.MaxFloat64 {
		t.Errorf("Median of the greatest numbers = %v", got)
	}
	if got := Median(nil); !math.IsNaN(got) {
		t.Errorf("Median of nothing = %v", got)
	}
}
