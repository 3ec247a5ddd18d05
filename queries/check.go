package queries

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/queries/stats"
)

// Check asks whether loading became slower.
type Check struct {
	Contrast
	MaxSlowdown float64  // 0.05 allows 5 % more time
	NoiseFloor  *float64 // nil: what A/A runs of the same loads say, and, for arms that were measured apart, what the baseline's other times say
}

// Judged is a pair and what the gate says of it.
type Judged struct {
	Pair
	stats.Decision
}

// Noise is what a slowdown has to be over to mean something.
type Noise struct {
	Given  *float64    // instead of what was measured
	Twins  stats.Noise // of A/A runs; without any, Pairs is 0
	Nights stats.Noise // of the baseline from one time to the next, for arms that were measured apart, once each; without two times, Pairs is 0
}

// floor is of a pair. What the times do to an arm that was measured at several
// of them is less, as of any mean.
func (n Noise) floor(p Pair) float64 {
	switch {
	case n.Given != nil:
		return *n.Given
	case p.Apart:
		fewer := math.Sqrt((1/float64(p.BeforeLoads.Collects) + 1/float64(p.AfterLoads.Collects)) / 2)
		return max(n.Twins.Floor, math.Expm1(math.Log1p(n.Nights.Floor)*fewer))
	}
	return n.Twins.Floor
}

// Checked is the answer of a Check: the worst verdict, and what it rests on.
type Checked struct {
	Verdict stats.Verdict
	Noise   Noise
	Apart   bool // some arms were measured apart
	Pairs   []Judged
}

// Ask compares, measures the noise, and judges.
func (c Check) Ask(ctx context.Context, db *sql.DB) (Checked, error) {
	pairs, err := c.Contrast.Ask(ctx, db)
	if err != nil {
		return Checked{}, err
	}
	noise := Noise{Given: c.NoiseFloor}
	if noise.Given == nil {
		f := c.Filter
		f.Tags = nil // A/A runs need not have the tags that are compared
		if noise.Twins, err = NoiseFloor(ctx, db, f, c.Confidence); err != nil {
			return Checked{}, err
		}
		if slices.ContainsFunc(pairs, func(p Pair) bool { return p.Apart }) {
			if noise.Nights, err = c.nightFloor(ctx, db); err != nil {
				return Checked{}, err
			}
		}
	}
	return c.judge(pairs, noise)
}

// judge holds each pair against the gate.
func (c Check) judge(pairs []Pair, noise Noise) (Checked, error) {
	all := Checked{Verdict: stats.NoRegression, Noise: noise}
	for _, p := range pairs {
		gate := stats.Gate{MaxSlowdown: c.MaxSlowdown, Alpha: 1 - c.Confidence, NoiseFloor: noise.floor(p)}
		evidence := p.Evidence()
		evidence.P = p.AdjustedP
		d, err := gate.Decide(evidence)
		if err != nil {
			return Checked{}, fmt.Errorf("judge %s: %w", strings.Join(p.Group, ", "), err)
		}
		if d.Verdict == stats.Regression && p.Unit == "load" && gate.NoiseFloor == 0 {
			// The loads of one session share their luck: against itself such an
			// arm is found slower far more often than the significance says.
			d.Verdict = stats.Inconclusive
			d.Reason += "; but one session an arm may be luck: collect with --sessions 4 or more, or give --noise-floor"
		}
		all.Pairs, all.Apart = append(all.Pairs, Judged{p, d}), all.Apart || p.Apart
		switch {
		case d.Verdict == stats.Regression, d.Verdict == stats.Inconclusive && all.Verdict == stats.NoRegression:
			all.Verdict = d.Verdict
		}
	}
	return all, nil
}
