package plots

import (
	"errors"
	"fmt"
	"math"
)

var errEmpty = errors.New("nothing to draw")

// amount refuses what is no time, size or rate; what and of name it.
func amount(v float64, what string, of ...string) error {
	switch {
	case math.IsNaN(v):
		return fmt.Errorf("%s is not a number (NaN)", placed(what, of))
	case math.IsInf(v, 0):
		return fmt.Errorf("%s is infinite", placed(what, of))
	case v < 0:
		return fmt.Errorf("%s is negative: %g", placed(what, of), v)
	case v > 1e30 || v > 0 && v < 1e-30:
		return fmt.Errorf("%s is %g, which no axis shows", placed(what, of), v)
	}
	return nil
}

// positive refuses also zero, which has no place on a logarithmic axis.
func positive(v float64, what string, of ...string) error {
	if v == 0 {
		return fmt.Errorf("%s is 0, which a logarithmic axis cannot show", placed(what, of))
	}
	return amount(v, what, of...)
}

func amounts(all []float64, what string, of ...string) error {
	for _, v := range all {
		if err := amount(v, what, of...); err != nil {
			return err
		}
	}
	return nil
}

func placed(what string, of []string) string {
	for i, name := range of {
		if name == "" {
			continue
		}
		if i == 0 || of[0] == "" {
			what += " of " + name
		} else {
			what += ", " + name
		}
	}
	return what
}

func minMax(all []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range all {
		low, high = math.Min(low, v), math.Max(high, v)
	}
	return low, high
}
