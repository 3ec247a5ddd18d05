package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A gamma variate has its shape as its mean and as its variance. The bounds are
// five standard errors, the seed is fixed.
func TestGamma(t *testing.T) {
	random := rand.New(rand.NewPCG(41, 42))
	for _, shape := range []int{1, 2, 7, 500} {
		const n = 200_000
		sum, squares := 0.0, 0.0
		for range n {
			v := gamma(shape, random) - float64(shape)
			sum += v
			squares += v * v
		}
		k := float64(shape)
		within(t, fmt.Sprintf("mean of %d", shape), sum/n, 0, 5*math.Sqrt(k/n))
		within(t, fmt.Sprintf("variance of %d", shape), squares/n, k, 5*math.Sqrt((2*k*k+6*k)/n))
	}
}

// The middle values of a resample of an even number have the distribution that
// drawing them one by one gives.
func TestDrawMedianOfAnEvenNumber(t *testing.T) {
	random := rand.New(rand.NewPCG(43, 44))
	values := []float64{1, 2, 4, 8, 16, 32}
	const n = 100_000
	counts := map[float64][2]int{}
	for range n {
		drawn := make([]float64, len(values))
		for i := range drawn {
			drawn[i] = values[random.IntN(len(values))]
		}
		for i, median := range []float64{middle(sorted(drawn)), drawMedian(values, random)} {
			both := counts[median]
			both[i]++
			counts[median] = both
		}
	}
	for median, both := range counts {
		within(t, fmt.Sprintf("share of %v", median), float64(both[1])/n, float64(both[0])/n, 0.01) // over four standard errors
	}
}

// Of very many sessions the medians are drawn: sessions of one load each are
// then no other than those loads.
func TestManySessionsAreDrawnByTheirMedians(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var before, after [][]float64
	for range manySessions + 1 {
		before, after = append(before, []float64{1 + random.Float64()}), append(after, []float64{2 + random.Float64()})
	}
	sessions := must[Ratio](t)(ratioOfMedians(t.Context(), before, after, 0.95, 1, mostDraws))
	loads := must[Ratio](t)(ratioOfMedians(t.Context(), [][]float64{slices.Concat(before...)}, [][]float64{slices.Concat(after...)}, 0.95, 1, mostDraws))
	if sessions.Estimate != loads.Estimate || sessions.Interval != loads.Interval {
		t.Errorf("%+v and %+v", sessions, loads)
	}
}
