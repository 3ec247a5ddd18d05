package queries

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/sllmq/sllmq/queries/stats"
)

// Check asks whether loading became slower.
type Check struct {
	Contrast
	MaxSlowdown float64  // 0.05 allows 5 % more time
	NoiseFloor  *float64 // nil: what A/A runs of the same loads say
}

// Judged is a pair and what the gate says of it.
type Judged struct {
	Pair
	stats.Decision
}

// Checked is the answer of a Check: the worst verdict, and what it rests on.
type Checked struct {
	Verdict stats.Verdict
	Noise   stats.Noise // without A/A runs, and where the floor was given, Pairs is 0
	Pairs   []Judged
}

// Ask compares, measures the noise, and judges.
func (c Check) Ask(ctx context.Context, db *sql.DB) (Checked, error) {
	var noise stats.Noise
	if c.NoiseFloor != nil {
		noise.Floor = *c.NoiseFloor
	} else {
		f := c.Filter
		f.Tags = nil // A/A runs need not have the tags that are compared
		var err error
		if noise, err = NoiseFloor(ctx, db, f, c.Confidence); err != nil {
			return Checked{}, err
		}
	}
	pairs, err := c.Contrast.Ask(ctx, db)
	if err != nil {
		return Checked{}, err
	}
	return c.judge(pairs, noise)
}

// judge holds each pair against the gate.
func (c Check) judge(pairs []Pair, noise stats.Noise) (Checked, error) {
	gate := stats.Gate{MaxSlowdown: c.MaxSlowdown, Alpha: 1 - c.Confidence, NoiseFloor: noise.Floor}
	all := Checked{Verdict: stats.NoRegression, Noise: noise}
	for _, p := range pairs {
		evidence := p.Evidence()
		evidence.P = p.AdjustedP
		d, err := gate.Decide(evidence)
		if err != nil {
			return Checked{}, fmt.Errorf("judge %s: %w", strings.Join(p.Group, ", "), err)
		}
		if d.Verdict == stats.Regression && p.Unit == "load" && noise.Floor == 0 {
			// The loads of one session share their luck: against itself such an
			// arm is found slower far more often than the significance says.
			d.Verdict = stats.Inconclusive
			d.Reason += "; but one session an arm may be luck: collect with --sessions 4 or more, or give --noise-floor"
		}
		all.Pairs = append(all.Pairs, Judged{p, d})
		switch {
		case d.Verdict == stats.Regression, d.Verdict == stats.Inconclusive && all.Verdict == stats.NoRegression:
			all.Verdict = d.Verdict
		}
	}
	return all, nil
}
