package stats

import (
	"cmp"
	"context"
	"slices"
)

// Comparison describes a change from one arm to another. Ratio compares the
// medians that people read. Factor and Test rest on ranks and decide a gate,
// since their interval has its confidence from four units per arm on.
type Comparison struct {
	Unit          string // "load" or "session"
	Before, After Summary
	Ratio         Ratio
	Factor        Shift // Hodges-Lehmann, as a ratio
	Shift         Shift // Hodges-Lehmann, as a difference
	Test          UTest
	Doubts        []string
}

// Evidence returns what a gate decides by.
func (c Comparison) Evidence() Evidence {
	return Evidence{Ratio: c.Factor.Estimate, Interval: c.Factor.Interval, P: c.Test.P}
}

// CompareOptions are the options of Compare.
type CompareOptions struct {
	Confidence float64 // of the intervals
	Seed       uint64  // of the bootstrap
	Draws      int     // of the bootstrap; 0: the default
}

// Compare compares two arms, each a list of sessions with their times. If both
// have several sessions the unit is the session, represented by its median;
// otherwise it is the load, and a session's luck cannot be separated from the
// change. It stops when ctx ends.
func Compare(ctx context.Context, before, after [][]float64, o CompareOptions) (Comparison, error) {
	c := Comparison{Unit: "session"}
	if len(before) < 2 || len(after) < 2 {
		c.Unit = "load"
		c.Doubts = append(c.Doubts, "one session per arm: cannot separate noise from effect; use --sessions 3 or more")
		before, after = [][]float64{slices.Concat(before...)}, [][]float64{slices.Concat(after...)}
	}
	var err error
	if c.Ratio, err = ratioOfMedians(ctx, before, after, o.Confidence, o.Seed, cmp.Or(o.Draws, mostDraws)); err != nil {
		return Comparison{}, err
	}
	x, y := Units(before), Units(after)
	if c.Before, err = Summarize(x, o.Confidence); err != nil {
		return Comparison{}, err
	}
	if c.After, err = Summarize(y, o.Confidence); err != nil {
		return Comparison{}, err
	}
	if c.Factor, err = HodgesLehmannRatio(x, y, o.Confidence); err != nil {
		return Comparison{}, err
	}
	if c.Shift, err = HodgesLehmann(x, y, o.Confidence); err != nil {
		return Comparison{}, err
	}
	c.Test, err = MannWhitney(x, y)
	return c, err
}

// Units returns the sessions' medians, or the loads of a single session.
func Units(sessions [][]float64) []float64 {
	if len(sessions) == 1 {
		return sessions[0]
	}
	all := make([]float64, len(sessions))
	for i, xs := range sessions {
		all[i] = Median(xs)
	}
	return all
}
