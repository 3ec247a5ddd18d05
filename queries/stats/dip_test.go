package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestDipTellsModes(t *testing.T) {
	random := rand.New(rand.NewPCG(29, 30))
	const rounds = 400
	one, two := 0, 0
	for range rounds {
		flat, apart := make([]float64, 30), make([]float64, 30)
		for i := range flat {
			flat[i] = random.Float64()
			apart[i] = 1 + 0.05*random.NormFloat64()
			if i%3 == 0 {
				apart[i] += 0.4
			}
		}
		if must[Dip](t)(DipTest(flat)).P < 0.05 {
			one++
		}
		if must[Dip](t)(DipTest(apart)).P < 0.05 {
			two++
		}
	}
	t.Logf("one mode %d, two modes %d of %d", one, two, rounds)
	within(t, "share of one mode", float64(one)/rounds, 0.05, 0.033) // three standard deviations
	if two < rounds*9/10 {
		t.Errorf("%d of %d", two, rounds)
	}
}

// Beyond the table's last line the scaled dip has one distribution.
func TestDipOfManyValues(t *testing.T) {
	near(t, "p", dipP(0.4/math.Sqrt(1e6), 1_000_000), dipP(0.4/math.Sqrt(5000), 5000))
}
