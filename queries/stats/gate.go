package stats

import (
	"fmt"
	"math"
)

// Verdict is what a gate says.
type Verdict int

// The verdicts. A gate that does not know says so.
const (
	Inconclusive Verdict = iota
	NoRegression
	Regression
)

func (v Verdict) String() string {
	switch v {
	case NoRegression:
		return "no regression"
	case Regression:
		return "regression"
	}
	return "inconclusive"
}

// Gate is what a change must stay within.
type Gate struct {
	MaxSlowdown float64 // 0.05 allows 5 % more time
	Alpha       float64 // significance
	NoiseFloor  float64 // a slowdown that the same thing has against itself
}

// Evidence is a change's ratio, after over before, the interval of it, and the
// p of the test that there is no change; one of several tests goes in with its
// corrected p.
type Evidence struct {
	Ratio    float64
	Interval Interval
	P        float64
}

// Decision is a verdict with the slowdown that it was held against and why.
type Decision struct {
	Verdict Verdict
	Limit   float64
	Reason  string
}

// Decide holds evidence against the gate's limit, the greater of MaxSlowdown
// and NoiseFloor. It is
//
//   - a regression if the ratio is over the limit and the slowdown is
//     significant, which happens to what is no slower at most Alpha/2 of the
//     time;
//   - no regression if the interval is under the limit, which happens to what
//     is slower than that at most as often;
//   - inconclusive else: more loads would tell.
//
// Telling the lack of a difference by an interval instead of by a high p is
// the two one-sided tests of Schuirmann, "A comparison of the two one-sided
// tests procedure and the power approach", 1987.
func (g Gate) Decide(e Evidence) (Decision, error) {
	if err := level("significance", g.Alpha); err != nil {
		return Decision{}, err
	}
	for _, v := range []float64{g.MaxSlowdown, g.NoiseFloor} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return Decision{}, fmt.Errorf("slowdown %v: %w", v, ErrNotFinite)
		}
	}
	if err := positive([]float64{e.Ratio}); err != nil {
		return Decision{}, fmt.Errorf("ratio: %w", err)
	}
	if !(e.P >= 0 && e.P <= 1) {
		return Decision{}, fmt.Errorf("p-value %v: %w", e.P, ErrLevel)
	}
	if !(e.Interval.Lo <= e.Interval.Hi) {
		return Decision{}, fmt.Errorf("interval %v to %v: %w", e.Interval.Lo, e.Interval.Hi, ErrNotFinite)
	}
	d := Decision{Limit: max(g.MaxSlowdown, g.NoiseFloor)}
	name := "allowed"
	if g.NoiseFloor > g.MaxSlowdown {
		name = "noise floor"
	}
	limit := 1 + d.Limit
	significant := e.P < g.Alpha && e.Interval.Lo > 1
	wide := e.Interval.Confidence >= 1-g.Alpha-1e-9
	switch {
	case e.Ratio > limit && significant:
		d.Verdict = Regression
		d.Reason = fmt.Sprintf("%s slower, over the %s %s (p %.2g)", change(e.Ratio), name, change(limit), e.P)
	case e.Interval.Hi <= limit && wide:
		d.Verdict = NoRegression
		d.Reason = fmt.Sprintf("at most %s slower, within the %s %s", change(max(1, e.Interval.Hi)), name, change(limit))
	case !wide:
		d.Reason = fmt.Sprintf("the interval holds %s and %s are asked for", percent(e.Interval.Confidence), percent(1-g.Alpha))
	case math.IsInf(e.Interval.Hi, 1):
		d.Reason = "too few loads for an interval"
	case e.Ratio > limit:
		d.Reason = fmt.Sprintf("%s slower, over the %s %s, and that may be chance (p %.2g)", change(e.Ratio), name, change(limit), e.P)
	default:
		d.Reason = fmt.Sprintf("may be up to %s slower, over the %s %s", change(e.Interval.Hi), name, change(limit))
	}
	return d, nil
}

// change writes a ratio as a slowdown.
func change(ratio float64) string { return fmt.Sprintf("%.1f %%", 100*(ratio-1)) }
