package stats

import (
	"fmt"
	"math"
)

// Verdict is the outcome of a gate.
type Verdict int

// The verdicts.
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

// Gate is the limit for a change.
type Gate struct {
	MaxSlowdown float64 // 0.05 allows 5 % more time
	Alpha       float64 // significance
	NoiseFloor  float64 // a slowdown that repeated measurements of one thing show
}

// Evidence is a change's ratio, after over before, its interval, and the p of
// the test that there is no change. For one of several tests, p is corrected.
type Evidence struct {
	Ratio    float64
	Interval Interval
	P        float64
}

// Decision is a verdict, the limit that was applied, and why.
type Decision struct {
	Verdict Verdict
	Limit   float64
	Reason  string
}

// Decide compares evidence with the gate's limit, the greater of MaxSlowdown
// and NoiseFloor. It decides
//
//   - a regression if the ratio exceeds the limit and the slowdown is
//     significant: without a slowdown, the probability of that is at most
//     Alpha/2;
//   - no regression if the whole interval is below the limit: with a slowdown
//     above the limit, the probability of that is at most Alpha/2;
//   - inconclusive otherwise: more loads would help.
//
// To show by an interval, not by a high p, that there is no difference is the
// procedure of two one-sided tests (Schuirmann, "A comparison of the two
// one-sided tests procedure and the power approach", 1987).
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
	limit := 1 + d.Limit
	limitWords := fmt.Sprintf("limit +%.1f %%", 100*d.Limit)
	if g.NoiseFloor > g.MaxSlowdown {
		limitWords += " (noise floor)"
	}
	significant := e.P < g.Alpha && e.Interval.Lo > 1
	wide := e.Interval.Confidence >= 1-g.Alpha-1e-9
	switch {
	case e.Ratio > limit && significant:
		d.Verdict = Regression
		d.Reason = fmt.Sprintf("%s (p %.2g); %s", change(e.Ratio), e.P, limitWords)
	case e.Interval.Hi <= limit && wide:
		d.Verdict = NoRegression
		bound := "at most"
		if e.Interval.Hi < 1 {
			bound = "at least"
		}
		d.Reason = fmt.Sprintf("%s %s; %s", bound, change(e.Interval.Hi), limitWords)
	case !wide:
		d.Reason = fmt.Sprintf("the interval covers %s, not %s", percent(e.Interval.Confidence), percent(1-g.Alpha))
	case math.IsInf(e.Interval.Hi, 1):
		d.Reason = "too few loads for an interval"
	case e.Ratio > limit:
		d.Reason = fmt.Sprintf("%s, which may be chance (p %.2g); %s", change(e.Ratio), e.P, limitWords)
	default:
		d.Reason = fmt.Sprintf("may be up to %s; %s", change(e.Interval.Hi), limitWords)
	}
	return d, nil
}

// change formats a ratio of times as a slowdown or a speedup.
func change(ratio float64) string {
	if ratio < 1 {
		return fmt.Sprintf("%.1f %% faster", 100*(1-ratio))
	}
	return fmt.Sprintf("%.1f %% slower", 100*(ratio-1))
}
