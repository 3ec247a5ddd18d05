package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// levels is a noisy series that stays at each level for so many values.
func levels(random *rand.Rand, noise float64, length int, levels ...float64) []float64 {
	var series []float64
	for _, level := range levels {
		for range length {
			series = append(series, level*(1+noise*random.NormFloat64()))
		}
	}
	return series
}

func TestChangePointsAreFound(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	series := levels(random, 0.03, 40, 1, 1.2, 0.9, 0.9, 1)
	points := must[[]ChangePoint](t)(ChangePoints(t.Context(), series, 0.05, 1))
	want := []int{40, 80, 160}
	if len(points) != len(want) {
		t.Fatalf("%+v", points)
	}
	for i, point := range points {
		if math.Abs(float64(point.Index-want[i])) > 2 || point.P > 0.05 || point.P < 1.0/(permutations+1) {
			t.Errorf("%+v, want one at %d", point, want[i])
		}
	}
	within(t, "before the first", points[0].Before, 1, 0.02)
	within(t, "after the first", points[0].After, 1.2, 0.02)
	if again := must[[]ChangePoint](t)(ChangePoints(t.Context(), series, 0.05, 1)); len(again) != len(points) || again[0] != points[0] {
		t.Errorf("one seed, two answers: %v and %v", points, again)
	}
	// Of a change in spread alone the medians tell nothing.
	wider := append(levels(random, 0.02, 100, 1), levels(random, 0.4, 100, 1)...)
	if points := must[[]ChangePoint](t)(ChangePoints(t.Context(), wider, 0.05, 1)); len(points) != 1 || math.Abs(float64(points[0].Index-100)) > 5 {
		t.Errorf("wider: %+v", points)
	}
}

func TestChangePointsMoveWithTheSeries(t *testing.T) {
	random := rand.New(rand.NewPCG(23, 24))
	series := levels(random, 0.05, 30, 1, 1.3, 1.1)
	points := must[[]ChangePoint](t)(ChangePoints(t.Context(), series, 0.05, 3))
	for _, f := range []func(float64) float64{
		func(v float64) float64 { return 4 * v },
		func(v float64) float64 { return v + 16 },
		func(v float64) float64 { return -v },
		func(v float64) float64 { return v * 0x1p1000 },
	} {
		moved := must[[]ChangePoint](t)(ChangePoints(t.Context(), mapped(series, f), 0.05, 3))
		if len(moved) != len(points) {
			t.Fatalf("%+v and %+v", points, moved)
		}
		for i := range points {
			if moved[i].Index != points[i].Index {
				t.Errorf("%+v and %+v", points, moved)
			}
		}
	}
}

// One odd value, or two at an end, are no change.
func TestOddValuesAreNoChange(t *testing.T) {
	random := rand.New(rand.NewPCG(25, 26))
	series := levels(random, 0.02, 30, 1)
	series[0], series[1] = 7, 7
	series[12] = 9
	series[28], series[29] = 5, 5
	if points := must[[]ChangePoint](t)(ChangePoints(t.Context(), series, 0.05, 1)); points != nil {
		t.Errorf("%+v", points)
	}
	for n := 1; n < 8; n++ {
		rising := make([]float64, n)
		for i := range rising {
			rising[i] = float64(i / 3)
		}
		if points := must[[]ChangePoint](t)(ChangePoints(t.Context(), rising, 0.05, 1)); points != nil {
			t.Errorf("%v: %+v", rising, points)
		}
	}
}

// Without a change there is one found about as often as alpha says, however
// heavy the tails are. The seed is fixed.
func TestChangePointsByChance(t *testing.T) {
	random := rand.New(rand.NewPCG(27, 28))
	const rounds = 600
	found := 0
	for round := range rounds {
		series := make([]float64, 50)
		for i := range series {
			series[i] = math.Exp(random.NormFloat64())
		}
		if must[[]ChangePoint](t)(ChangePoints(t.Context(), series, 0.05, uint64(round))) != nil {
			found++
		}
	}
	t.Logf("%d of %d", found, rounds)
	within(t, "share", float64(found)/rounds, 0.05, 0.027) // three standard deviations
}
