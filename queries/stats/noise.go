package stats

import (
	"fmt"
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"
)

// Noise is how much two measurements of the same thing differ.
type Noise struct {
	Floor      float64 // a slowdown: 0.03 if one takes up to 3 % longer than the other
	Confidence float64 // that the next pair stays below it
	Pairs      int
	Doubts     []string
}

// NoiseFloor returns the slowdown below which a further A/A pair stays with a
// confidence: the k-th smallest of n with k = confidence (n+1), for any
// distribution (Wilks, "Determination of sample sizes for setting tolerance
// limits", 1941). Each pair is two positive medians of the same thing, in either
// order; pairs must not share a measurement. With too few pairs, it is the
// greatest slowdown seen, and the confidence is lower.
func NoiseFloor(pairs [][2]float64, confidence float64) (Noise, error) {
	if err := level("confidence", confidence); err != nil {
		return Noise{}, err
	}
	if len(pairs) == 0 {
		return Noise{}, ErrEmpty
	}
	n := len(pairs)
	apart := make([]float64, n)
	for i, pair := range pairs {
		if err := positive(pair[:]); err != nil {
			return Noise{}, fmt.Errorf("pair %d: %w", i, err)
		}
		apart[i] = math.Abs(math.Log(pair[1]) - math.Log(pair[0]))
	}
	slices.Sort(apart)
	// 0.95 of 20 is 19, whatever floats make of it.
	k := int(math.Ceil(confidence*float64(n+1) - 1e-9))
	noise := Noise{Pairs: n}
	if k > n {
		k = n
		need := int(math.Ceil(confidence/(1-confidence) - 1e-9))
		noise.Doubts = append(noise.Doubts, fmt.Sprintf("a %s noise floor needs ≥ %d pairs", percent(confidence), need))
	}
	k = max(k, 1)
	noise.Floor = math.Expm1(apart[k-1])
	noise.Confidence = float64(k) / float64(n+1)
	return noise, nil
}

// SureFloor is NoiseFloor if there are enough pairs for the confidence. With
// fewer it assumes that the logarithms of ratios are normal with mean 0: then a
// further one stays, with the confidence, within their root mean square times a
// quantile of Student's t with as many degrees of freedom as pairs. The floor is
// at least the greatest slowdown seen.
func SureFloor(pairs [][2]float64, confidence float64) (Noise, error) {
	noise, err := NoiseFloor(pairs, confidence)
	if err != nil || noise.Confidence >= confidence-1e-9 {
		return noise, err
	}
	squares := 0.0
	for _, pair := range pairs {
		apart := math.Log(pair[1]) - math.Log(pair[0])
		squares += apart * apart / float64(len(pairs))
	}
	t := stats.InvCDF(stats.TDist{V: float64(len(pairs))})((1 + confidence) / 2)
	noise.Floor = max(noise.Floor, math.Expm1(t*math.Sqrt(squares)))
	noise.Confidence = confidence
	noise.Doubts = []string{fmt.Sprintf("%d pairs are few: the floor assumes a normal distribution", len(pairs))}
	return noise, nil
}
