package stats

import (
	"fmt"
	"math"
)

// Summary summarizes a sample.
type Summary struct {
	N             int
	Mean, Median  float64
	GeometricMean float64  // NaN unless all values are positive
	Interval      Interval // of the median
	Need          int      // the smallest sample with an interval at this confidence
	Doubts        []string
}

// Summarize summarizes xs, with an interval of the median.
func Summarize(xs []float64, confidence float64) (Summary, error) {
	if err := finite(xs); err != nil {
		return Summary{}, err
	}
	need, err := MedianNeed(confidence)
	if err != nil {
		return Summary{}, err
	}
	values := sorted(xs)
	n := len(values)
	s := Summary{N: n, Median: middle(values), GeometricMean: math.NaN(), Need: need}
	for _, x := range values {
		s.Mean += x / float64(n) // cannot overflow
	}
	s.Mean = min(max(s.Mean, values[0]), values[n-1])
	if mean, err := GeometricMean(xs); err == nil {
		s.GeometricMean = mean
	}
	order, real := medianOrder(n, confidence)
	if order == 0 {
		s.Interval = Interval{Lo: math.Inf(-1), Hi: math.Inf(1), Confidence: 1}
		s.Doubts = append(s.Doubts, fmt.Sprintf("a %s interval of the median needs ≥ %d values", percent(confidence), need))
		return s, nil
	}
	s.Interval = Interval{Lo: values[order-1], Hi: values[n-order], Confidence: real}
	return s, nil
}

// GeometricMean returns the n-th root of the product of n positive values.
func GeometricMean(xs []float64) (float64, error) {
	if err := positive(xs); err != nil {
		return 0, err
	}
	lo, hi, sum := xs[0], xs[0], 0.0
	for _, x := range xs {
		lo, hi = min(lo, x), max(hi, x)
		sum += math.Log(x) / float64(len(xs))
	}
	return min(max(math.Exp(sum), lo), hi), nil
}
