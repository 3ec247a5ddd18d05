// Package stats compares samples of measurements. Its functions are
// deterministic: those that draw at random take a seed. They ignore no value: an
// empty sample, a NaN and an infinity are errors. Answers carry doubts where a
// sample is too small.
package stats

import (
	"errors"
	"fmt"
	"math"
)

var (
	// ErrEmpty reports a sample without values.
	ErrEmpty = errors.New("no values")
	// ErrNotFinite reports a value that is NaN or infinite.
	ErrNotFinite = errors.New("not a finite number")
	// ErrNotPositive reports a value of zero or less where a logarithm or a ratio
	// is needed.
	ErrNotPositive = errors.New("not positive")
	// ErrLevel reports a confidence or a significance that is not between 0 and 1.
	ErrLevel = errors.New("not between 0 and 1")
	// ErrTooMany reports a sample that would take more than seconds.
	ErrTooMany = errors.New("too many values")
)

// Interval covers the true value with the probability Confidence, which is at
// least the confidence asked for. If the sample is too small for that, it covers
// all possible values, and Confidence is 1.
type Interval struct {
	Lo, Hi, Confidence float64
}

// Known reports whether the sample was large enough for an interval.
func (i Interval) Known() bool { return !math.IsInf(i.Lo, -1) && !math.IsInf(i.Hi, 1) }

// finite refuses samples that are empty or have a value that is not finite.
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

// positive refuses, beside what finite refuses, values of zero or less.
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

// percent formats a confidence for people.
func percent(confidence float64) string { return fmt.Sprintf("%.4g %%", 100*confidence) }
