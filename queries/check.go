package queries

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/queries/stats"
)

// Check finds whether loading became slower.
type Check struct {
	Contrast
	MaxSlowdown float64  // 0.05 allows 5 % more time
	NoiseFloor  *float64 // nil: measured between A/A runs of the same loads and, for arms measured in different nights, between the baseline's nights
}

// Judged is a pair and the gate's decision.
type Judged struct {
	Pair
	stats.Decision
}

// Noise is the slowdown that means nothing.
type Noise struct {
	Given  *float64    // overrides the measured noise
	Twins  stats.Noise // between A/A runs; Pairs is 0 if there are none
	Nights stats.Noise // of the baseline between nights, for arms measured in different nights; Pairs is 0 without two nights
}

// together is how far apart arms may be, from 0 to 1, before nights matter.
const together = 0.25

// floor is the slowdown that means nothing for arms measured together.
func (n Noise) floor() float64 {
	if n.Given != nil {
		return *n.Given
	}
	return n.Twins.Floor
}

// ofNights is the slowdown that the nights in which a pair was measured may
// cause. It is unknown if there is no evidence of what nights do: neither the
// baseline's nights, nor so many nights of both arms that these alone separate
// the arms.
func (n Noise) ofNights(p Pair) (slowdown float64, known bool) {
	if n.Given != nil || p.Apart <= together || p.nightsP/2 < 1-nightConfidence {
		return 0, true
	}
	return math.Expm1(p.Apart * math.Log1p(n.Nights.Floor)), n.Nights.Pairs > 0
}

// Checked is the answer to a Check: the worst verdict, and what it rests on.
type Checked struct {
	Verdict stats.Verdict
	Noise   Noise
	Apart   bool // some arms were measured in different nights
	Pairs   []Judged
	Alone   string // why there are no pairs: all loads are the baseline's
}

// Ask compares, measures the noise, and judges. If the warehouse has the baseline
// alone, the verdict is inconclusive. A named baseline or candidate that does not
// exist is an error, since it may be misspelt.
func (c Check) Ask(ctx context.Context, db *sql.DB) (Checked, error) {
	pairs, err := c.Contrast.Ask(ctx, db)
	var alone *AloneError
	if errors.As(err, &alone) {
		return Checked{Verdict: stats.Inconclusive, Noise: Noise{Given: c.NoiseFloor}, Alone: alone.Error()}, nil
	}
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
		if slices.ContainsFunc(pairs, func(p Pair) bool { return p.Apart > together }) {
			if noise.Nights, err = c.nightFloor(ctx, db); err != nil {
				return Checked{}, err
			}
		}
	}
	return c.judge(pairs, noise)
}

// judge applies the gate to each pair.
func (c Check) judge(pairs []Pair, noise Noise) (Checked, error) {
	all := Checked{Verdict: stats.NoRegression, Noise: noise}
	for _, p := range pairs {
		gate := stats.Gate{MaxSlowdown: c.MaxSlowdown, Alpha: 1 - c.Confidence, NoiseFloor: noise.floor()}
		evidence := p.Evidence()
		evidence.P = p.AdjustedP
		d, err := gate.Decide(evidence)
		if err != nil {
			return Checked{}, fmt.Errorf("judge %s: %w", strings.Join(p.Shared.Values(), ", "), err)
		}
		if d.Verdict == stats.Regression {
			if doubt := noise.doubt(p); doubt != "" {
				d.Verdict = stats.Inconclusive
				d.Reason += "; but " + doubt
			}
		}
		all.Pairs, all.Apart = append(all.Pairs, Judged{p, d}), all.Apart || p.Apart > together
		switch {
		case d.Verdict == stats.Regression, d.Verdict == stats.Inconclusive && all.Verdict == stats.NoRegression:
			all.Verdict = d.Verdict
		}
	}
	return all, nil
}

// doubt returns why a significant slowdown may not be a regression; empty if
// there is no reason. The loads of one session share their luck, and those of one
// night the machine's mood: an arm compared with itself would be found slower far
// more often than the significance allows.
func (n Noise) doubt(p Pair) string {
	const measure = "measure both within %.0f hours of each other, or %s at %d times or more, or use --noise-floor"
	slowdown, known := n.ofNights(p)
	switch {
	case !known:
		return fmt.Sprintf("the arms were measured at different times, and the noise between times is unknown: "+measure, nightGap.Hours(), p.Baseline, enoughNights)
	case p.Factor.Estimate <= 1+slowdown:
		return fmt.Sprintf("the arms were measured at different times, which alone may cause %.1f %%: "+measure, 100*slowdown, nightGap.Hours(), p.Baseline, enoughNights)
	case p.Unit == "load" && n.floor() == 0:
		return "one session per arm may be luck: use collect --sessions 4 or more, or --noise-floor"
	}
	return ""
}
