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

// Check asks whether loading became slower.
type Check struct {
	Contrast
	MaxSlowdown float64  // 0.05 allows 5 % more time
	NoiseFloor  *float64 // nil: what A/A runs of the same loads say, and, for arms that were measured apart, what the baseline's other nights say
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
	Nights stats.Noise // of the baseline from one night to another, for arms that were measured apart, in a night each; without two nights, Pairs is 0
}

// together is the most that arms may be apart, of 1, before nights matter.
const together = 0.25

// floor is a slowdown that means nothing.
func (n Noise) floor() float64 {
	if n.Given != nil {
		return *n.Given
	}
	return n.Twins.Floor
}

// ofNights is a slowdown that a pair may owe to the nights in which its arms were
// measured. It is not known where nothing says what nights do: neither the
// baseline's, nor those of both arms, where there are so many that they tell the
// arms apart by themselves.
func (n Noise) ofNights(p Pair) (slowdown float64, known bool) {
	if n.Given != nil || p.Apart <= together || p.nightsP/2 < 1-nightConfidence {
		return 0, true
	}
	return math.Expm1(p.Apart * math.Log1p(n.Nights.Floor)), n.Nights.Pairs > 0
}

// Checked is the answer of a Check: the worst verdict, and what it rests on.
type Checked struct {
	Verdict stats.Verdict
	Noise   Noise
	Apart   bool // some arms were measured in different nights
	Pairs   []Judged
	Alone   string // why there is no pair yet: all loads are of the baseline
}

// Ask compares, measures the noise, and judges. As long as nothing was measured
// beside the baseline there is too little to tell; a baseline or a candidate that
// was named and is not there is an error, since it may be misspelt.
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

// judge holds each pair against the gate.
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

// doubt is why a slowdown may be no regression for all its significance. The
// loads of one session share their luck, and those of one night the machine's
// mood: against itself such an arm is found slower far more often than the
// significance says.
func (n Noise) doubt(p Pair) string {
	const measure = "measure both within %.0f hours of each other, or %s at %d times or more, or give --noise-floor"
	slowdown, known := n.ofNights(p)
	switch {
	case !known:
		return fmt.Sprintf("the arms were measured at different times, and no noise floor from one time to another is known: "+measure, nightGap.Hours(), p.Baseline, enoughNights)
	case p.Factor.Estimate <= 1+slowdown:
		return fmt.Sprintf("the arms were measured at different times, which alone may make %.1f %%: "+measure, 100*slowdown, nightGap.Hours(), p.Baseline, enoughNights)
	case p.Unit == "load" && n.floor() == 0:
		return "one session an arm may be luck: collect with --sessions 4 or more, or give --noise-floor"
	}
	return ""
}
