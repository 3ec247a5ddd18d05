// Package stats judges samples of measurements. Every function is pure: what
// is drawn at random is drawn from the seed given. No value is passed over: an
// empty sample, a NaN and an infinity are errors, and what a small sample
// cannot tell is said beside the answer.
package stats

import (
	"errors"
	"fmt"
	"math"
)

var (
	// ErrEmpty says that a sample has no value.
	ErrEmpty = errors.New("no values")
	// ErrNotFinite says that a value is NaN or infinite.
	ErrNotFinite = errors.New("not a finite number")
	// ErrNotPositive says that a value is zero or less where its logarithm or a
	// ratio is wanted.
	ErrNotPositive = errors.New("not over zero")
	// ErrLevel says that a confidence or a significance is not between 0 and 1.
	ErrLevel = errors.New("not between 0 and 1")
	// ErrTooMany says that a sample is beyond what is computed in seconds.
	ErrTooMany = errors.New("too many values")
)

// Interval holds the true value with the probability Confidence, which is at
// least what was asked for. Where the sample is too small for that, it is all
// that is possible, and Confidence is 1.
type Interval struct {
	Lo, Hi, Confidence float64
}

// Known says whether the sample was large enough for an interval.
func (i Interval) Known() bool { return !math.IsInf(i.Lo, -1) && !math.IsInf(i.Hi, 1) }

// finite refuses a sample that is empty or has a value that is no number.
func finite(samples ...[]float64) error {
	for _, xs := range samples {
		if len(xs) == 0 {
			return ErrEmpty
		}
		for i, x := range xs {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("value %d is %v: %w", i, x, ErrNotFinite)
			}
		}
	}
	return nil
}

// positive refuses, beside what finite refuses, a value of zero or less.
func positive(samples ...[]float64) error {
	if err := finite(samples...); err != nil {
		return err
	}
	for _, xs := range samples {
		for i, x := range xs {
			if x <= 0 {
				return fmt.Errorf("value %d is %v: %w", i, x, ErrNotPositive)
			}
		}
	}
	return nil
}

// level refuses a probability that is not inside (0, 1).
func level(name string, p float64) error {
	if !(p > 0 && p < 1) {
		return fmt.Errorf("%s %v: %w", name, p, ErrLevel)
	}
	return nil
}

// percent writes a confidence as people say it.
func percent(confidence float64) string { return fmt.Sprintf("%.4g %%", 100*confidence) }
