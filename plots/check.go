package plots

import (
	"errors"
	"fmt"
	"math"
)

var errEmpty = errors.New("nothing to draw")

// amounts refuses values that cannot be times, sizes or rates: not a number,
// infinite, negative, or too large or too small for an axis. Errors name the value
// as what and, unless empty, of.
func amounts(what, of string, values ...float64) error {
	if of != "" {
		what += " of " + of
	}
	for _, v := range values {
		switch {
		case math.IsNaN(v):
			return fmt.Errorf("%s is not a number (NaN)", what)
		case math.IsInf(v, 0):
			return fmt.Errorf("%s is infinite", what)
		case v < 0:
			return fmt.Errorf("%s is negative: %g", what, v)
		case v > 1e30 || v > 0 && v < 1e-30:
			return fmt.Errorf("%s is %g, out of the range 1e-30 to 1e+30 of an axis", what, v)
		}
	}
	return nil
}

// positive is amounts for a logarithmic axis, which cannot show 0.
func positive(what, of string, v float64) error {
	if v == 0 {
		return fmt.Errorf("%s of %s is 0, which a logarithmic axis cannot show", what, of)
	}
	return amounts(what, of, v)
}

func minMax(values []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = math.Min(low, v), math.Max(high, v)
	}
	return low, high
}
