package queries

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

// Contrast compares the loading times of arms that differ in one column.
type Contrast struct {
	Filter
	By         string    // a column of load_facts, a tag's key or tag:KEY, day, week, month, year, or time with SplitAt
	SplitAt    time.Time // of By time: arms are before and after it
	Baseline   string    // the arm to compare the others with; empty: safetensors, or the one measured first
	Arms       []string  // only these; empty: all
	Across     bool      // arms need have nothing in common; differences become warnings
	Confidence float64
	Seed       uint64 // of the bootstrap
	Draws      int    // of the bootstrap; 0: the default
}

// Pair is one arm compared with the baseline, all else being equal.
type Pair struct {
	Shared        Key // what both arms have in common
	Baseline, Arm string
	stats.Comparison
	BeforeLoads, AfterLoads ArmLoads
	MeanRatio               float64 // of the means over loads, as in the reference benchmark; over 1, the arm takes longer
	AdjustedP               float64 // Comparison.Test.P after Holm's correction over all pairs
	Need                    int     // sessions or loads per arm needed to show a difference; 0: there are enough
	Warnings                []string
	Apart                   float64 // how much the machine's moods affect the ratio: 0 if both arms were measured in the same nights, 1 if each in a night of its own
	nightsP                 float64 // of a test over the arms' nights, each by the median of its sessions
}

// ArmLoads are the loads of an arm.
type ArmLoads struct {
	N, Failed, Outliers int     // outliers by Tukey's fences, which are kept
	MeanS               float64 // of the loads that did not fail
	Nights              int     // in which they were measured
}

// Ask returns, for each group, a pair for each arm other than the baseline.
func (c Contrast) Ask(ctx context.Context, db *sql.DB) (_ []Pair, err error) {
	if c.By, err = c.resolve(ctx, db); err != nil {
		return nil, err
	}
	sessions, err := compared[armSession](ctx, db, c, sessionsSQL)
	if err != nil {
		return nil, err
	}
	under, err := compared[measuredUnder](ctx, db, c, conditionsSQL)
	if err != nil {
		return nil, err
	}
	return c.pairs(ctx, sessions, under)
}

// pairs compares what was measured.
func (c Contrast) pairs(ctx context.Context, sessions []armSession, under []measuredUnder) ([]Pair, error) {
	if len(sessions) == 0 {
		return nil, errors.New("no loads to compare: sllmq summary lists what the warehouse has")
	}
	baseline := c.baseline(sessions)
	groups := c.groups(sessions, under)
	var pairs []Pair
	for _, key := range slices.SortedFunc(maps.Keys(groups), Key.compare) {
		arms := groups[key]
		for _, arm := range slices.Sorted(maps.Keys(arms)) {
			if arm == baseline || arms[baseline] == nil {
				continue
			}
			p, err := c.pair(ctx, *arms[baseline], *arms[arm])
			if err != nil {
				return nil, fmt.Errorf("compare %s with %s (%s): %w", arm, baseline, strings.Join(key.Values(), ", "), err)
			}
			if p != nil {
				p.Shared = key
				pairs = append(pairs, *p)
			}
		}
	}
	if len(pairs) == 0 {
		return nil, c.nothing(sessions, baseline)
	}
	return pairs, c.correct(pairs)
}

// baseline returns the arm to compare the others with.
func (c Contrast) baseline(sessions []armSession) string {
	if c.Baseline != "" {
		return c.Baseline
	}
	first := sessions[0]
	for _, s := range sessions {
		if c.By == "format" && s.Compared == "safetensors" {
			return s.Compared
		}
		if s.StartedAt.Before(first.StartedAt) {
			first = s
		}
	}
	return first.Compared
}

// AloneError reports that all loads are of the baseline.
type AloneError struct{ By, Baseline string }

func (e *AloneError) Error() string {
	return fmt.Sprintf("all loads are of %s %q: nothing to compare them with", e.By, e.Baseline)
}

// nothing returns why there is no pair.
func (c Contrast) nothing(sessions []armSession, baseline string) error {
	arms := map[string]bool{}
	type seen struct{ baseline, others bool }
	var values [len(dimensions)]map[string]seen // who has each value of a dimension
	for i := range values {
		values[i] = map[string]seen{}
	}
	for _, s := range sessions {
		if len(c.Arms) > 0 && !slices.Contains(c.Arms, s.Compared) {
			continue
		}
		arms[s.Compared] = true
		key := c.key(s.Arm)
		for i := range dimensions {
			by := values[i][key.value(i)]
			by.baseline = by.baseline || s.Compared == baseline
			by.others = by.others || s.Compared != baseline
			values[i][key.value(i)] = by
		}
	}
	known := arms[baseline]
	delete(arms, baseline)
	others := slices.Sorted(maps.Keys(arms))
	const shown = 8
	if len(others) > shown {
		others = append(others[:shown], "…")
	}
	var apart []string
	for i, d := range dimensions {
		if !slices.Contains(slices.Collect(maps.Values(values[i])), seen{true, true}) {
			apart = append(apart, d.column)
		}
	}
	switch {
	case !known:
		return fmt.Errorf("no loads of %s %q to compare with: there are %s", c.By, baseline, strings.Join(others, ", "))
	case len(others) == 0 && len(c.Arms) > 0:
		named := slices.DeleteFunc(slices.Clone(c.Arms), func(arm string) bool { return arm == baseline })
		return fmt.Errorf("no loads of %s %q to compare with %s", c.By, strings.Join(named, ", "), baseline)
	case len(others) == 0:
		return &AloneError{c.By, baseline}
	case len(apart) > 0:
		return fmt.Errorf("nothing to compare with %s %q: %s: no %s in common with it", c.By, baseline, strings.Join(others, ", "), strings.Join(apart, ", "))
	}
	return fmt.Errorf("nothing to compare with %s %q: no loads of %s that succeeded agree with it in %s", c.By, baseline, strings.Join(others, ", "), strings.Join(c.key(record.Arm{}).columns(), ", "))
}

// correct fills in the fields that depend on all pairs.
func (c Contrast) correct(pairs []Pair) error {
	ps := make([]float64, len(pairs))
	for i, p := range pairs {
		ps[i] = p.Test.P
	}
	adjusted, err := stats.Holm(ps)
	if err != nil {
		return err
	}
	alpha := (1 - c.Confidence) / float64(len(pairs)) // of the strictest test
	need, err := stats.NeedPerArm(alpha)
	if err != nil {
		return err
	}
	for i := range pairs {
		p := &pairs[i]
		p.AdjustedP = adjusted[i]
		if !p.Significant(c.Confidence) && stats.SmallestP(p.Before.N, p.After.N) >= alpha {
			p.Need = need
		}
	}
	return nil
}

// pair compares two arms of a group; nil if one of them has no counted load.
func (c Contrast) pair(ctx context.Context, before, after side) (*Pair, error) {
	x, y := before.times(), after.times()
	if len(x) == 0 || len(y) == 0 {
		return nil, nil
	}
	compared, err := stats.Compare(ctx, x, y, stats.CompareOptions{Confidence: c.Confidence, Seed: c.Seed, Draws: c.Draws})
	if err != nil {
		return nil, err
	}
	p := &Pair{Baseline: before.arm, Arm: after.arm, Comparison: compared, Warnings: c.warnings(before, after)}
	if p.BeforeLoads, err = loadsOf(before.sessions); err != nil {
		return nil, err
	}
	if p.AfterLoads, err = loadsOf(after.sessions); err != nil {
		return nil, err
	}
	p.MeanRatio = p.AfterLoads.MeanS / p.BeforeLoads.MeanS
	return p, p.countNights(before.sessions, after.sessions)
}

func loadsOf(sessions []armSession) (l ArmLoads, err error) {
	all := slices.Concat(times(sessions)...)
	l.N = len(all)
	for _, s := range sessions {
		l.Failed += s.Failed
	}
	for _, t := range all {
		l.MeanS += t / float64(len(all))
	}
	outliers, err := stats.OutliersTukey(all, stats.TukeyCutoff)
	l.Outliers = len(outliers)
	return l, err
}
