package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

// golden is what scripts/fixtures/make_stats.py had SciPy and others compute.
type golden struct {
	Samples   map[string][]float64
	Summaries []struct {
		Sample        string
		Mean, Median  float64
		GeometricMean *float64 `json:"geometric_mean"`
		Interval      []float64
	}
	MedianOrders []struct {
		N, Order         int
		Confidence, Real float64
	} `json:"median_orders"`
	UTests []struct {
		X, Y []float64
		U, P float64
	} `json:"u_tests"`
	LeastP []struct {
		N, M int
		P    float64
	} `json:"least_p"`
	Shifts []struct {
		X, Y                       string
		Confidence, Estimate, Real float64
		Interval                   []float64
	}
	Ratios []struct {
		Before, After, Lo, Hi []float64
		Estimate              float64
	}
	Factors []struct {
		X, Y           string
		Estimate, Real float64
		Interval       []float64
	}
	Clustered []struct {
		Before, After [][]float64
		Lo, Hi        []float64
		Estimate      float64
	}
	Families []struct {
		P, Corrected []float64
	}
	Outliers []struct {
		Sample string
		Tukey  []int
	}
	Dips []struct {
		Sample string
		D, P   float64
	}
	Splits []struct {
		Sample string
		Split  int
		Energy float64
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/stats.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// near fails unless got is want to 1e-9 of it, or of 1 if that is more.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	within(t, what, got, want, 1e-9*max(1, math.Abs(want)))
}

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) && got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// must is for what a test knows to be right.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestSummaryGolden(t *testing.T) {
	g := readGolden(t)
	for _, want := range g.Summaries {
		got := must[Summary](t)(Summarize(g.Samples[want.Sample], 0.95))
		near(t, want.Sample+" mean", got.Mean, want.Mean)
		near(t, want.Sample+" median", got.Median, want.Median)
		if want.GeometricMean != nil {
			near(t, want.Sample+" geometric mean", got.GeometricMean, *want.GeometricMean)
		} else if !math.IsNaN(got.GeometricMean) {
			t.Errorf("%s has a geometric mean of %v", want.Sample, got.GeometricMean)
		}
		if want.Interval == nil {
			if got.Interval.Known() || len(got.Doubts) != 1 {
				t.Errorf("%s: %+v", want.Sample, got)
			}
			continue
		}
		near(t, want.Sample+" low", got.Interval.Lo, want.Interval[0])
		near(t, want.Sample+" high", got.Interval.Hi, want.Interval[1])
	}
}

func TestMedianOrderGolden(t *testing.T) {
	for _, want := range readGolden(t).MedianOrders {
		order, real := medianOrder(want.N, want.Confidence)
		if order != want.Order {
			t.Errorf("n %d, %v: order %d, want %d", want.N, want.Confidence, order, want.Order)
			continue
		}
		near(t, fmt.Sprintf("n %d, %v", want.N, want.Confidence), real, want.Real)
		if need := must[int](t)(MedianNeed(want.Confidence)); (want.N >= need) != (order > 0) {
			t.Errorf("n %d, %v: need %d and order %d", want.N, want.Confidence, need, order)
		}
	}
}

func TestMannWhitneyGolden(t *testing.T) {
	for i, want := range readGolden(t).UTests {
		got := must[UTest](t)(MannWhitney(want.X, want.Y))
		what := fmt.Sprintf("%d: n %d and %d", i, len(want.X), len(want.Y))
		near(t, what+" U", got.U, want.U)
		near(t, what+" p", got.P, want.P)
	}
	for _, want := range readGolden(t).LeastP {
		near(t, fmt.Sprintf("least p of %d and %d", want.N, want.M), SmallestP(want.N, want.M), want.P)
	}
}

func TestHodgesLehmannGolden(t *testing.T) {
	g := readGolden(t)
	for _, want := range g.Shifts {
		got := must[Shift](t)(HodgesLehmann(g.Samples[want.X], g.Samples[want.Y], want.Confidence))
		what := fmt.Sprintf("%s to %s at %v", want.X, want.Y, want.Confidence)
		near(t, what, got.Estimate, want.Estimate)
		near(t, what+" confidence", got.Interval.Confidence, want.Real)
		if want.Interval == nil {
			if got.Interval.Known() || len(got.Doubts) != 1 {
				t.Errorf("%s: %+v", what, got)
			}
			continue
		}
		near(t, what+" low", got.Interval.Lo, want.Interval[0])
		near(t, what+" high", got.Interval.Hi, want.Interval[1])
	}
}

// The ends of the drawn interval lie where the bootstrap's own distribution,
// known exactly, has 2.5 and 97.5 % to 0.6 % (four standard deviations of what
// is drawn).
func TestRatioGolden(t *testing.T) {
	for i, want := range readGolden(t).Ratios {
		for seed := range uint64(5) {
			got := must[Ratio](t)(ratioOfMedians(t.Context(), [][]float64{want.Before}, [][]float64{want.After}, 0.95, seed, mostDraws))
			near(t, fmt.Sprint(i), got.Estimate, want.Estimate)
			const rounding = 1e-12
			if lo := got.Interval.Lo; lo < want.Lo[0]-rounding || lo > want.Lo[1]+rounding {
				t.Errorf("%d: low %v, want %v", i, lo, want.Lo)
			}
			if hi := got.Interval.Hi; hi < want.Hi[0]-rounding || hi > want.Hi[1]+rounding {
				t.Errorf("%d: high %v, want %v", i, hi, want.Hi)
			}
		}
	}
}

// The same of sessions, whose distribution NumPy drew.
func TestRatioOfSessionsGolden(t *testing.T) {
	for i, want := range readGolden(t).Clustered {
		for seed := range uint64(3) {
			got := must[Ratio](t)(ratioOfMedians(t.Context(), want.Before, want.After, 0.95, seed, mostDraws))
			near(t, fmt.Sprint(i), got.Estimate, want.Estimate)
			if lo := got.Interval.Lo; lo < want.Lo[0] || lo > want.Lo[1] {
				t.Errorf("%d: low %v, want %v", i, lo, want.Lo)
			}
			if hi := got.Interval.Hi; hi < want.Hi[0] || hi > want.Hi[1] {
				t.Errorf("%d: high %v, want %v", i, hi, want.Hi)
			}
		}
	}
}

func TestHodgesLehmannRatioGolden(t *testing.T) {
	g := readGolden(t)
	for _, want := range g.Factors {
		got := must[Shift](t)(HodgesLehmannRatio(g.Samples[want.X], g.Samples[want.Y], 0.95))
		near(t, want.X+" to "+want.Y, got.Estimate, want.Estimate)
		near(t, want.X+" to "+want.Y+" low", got.Interval.Lo, want.Interval[0])
		near(t, want.X+" to "+want.Y+" high", got.Interval.Hi, want.Interval[1])
		near(t, want.X+" to "+want.Y+" confidence", got.Interval.Confidence, want.Real)
	}
}

func TestHolmGolden(t *testing.T) {
	for i, want := range readGolden(t).Families {
		got := must[[]float64](t)(Holm(want.P))
		for k := range want.P {
			near(t, fmt.Sprintf("family %d, test %d", i, k), got[k], want.Corrected[k])
		}
	}
}

func TestOutliersGolden(t *testing.T) {
	g := readGolden(t)
	for _, want := range g.Outliers {
		if got := must[[]int](t)(OutliersTukey(g.Samples[want.Sample], TukeyCutoff)); !slices.Equal(got, want.Tukey) {
			t.Errorf("%s: by Tukey %v, want %v", want.Sample, got, want.Tukey)
		}
	}
}

// The two tables of p were simulated apart and are read between their lines.
func TestDipGolden(t *testing.T) {
	g := readGolden(t)
	for _, want := range g.Dips {
		got := must[Dip](t)(DipTest(g.Samples[want.Sample]))
		near(t, want.Sample+" D", got.D, want.D)
		within(t, want.Sample+" p", got.P, want.P, 0.01)
	}
}

func TestSplitGolden(t *testing.T) {
	g := readGolden(t)
	for _, want := range g.Splits {
		split, energy := newSplitter(g.Samples[want.Sample]).best()
		if split != want.Split {
			t.Errorf("%s: split %d, want %d", want.Sample, split, want.Split)
		}
		near(t, want.Sample+" energy", energy, want.Energy)
	}
}
