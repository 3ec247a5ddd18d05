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
)

// Contrast asks how loading times differ between the arms of one column.
type Contrast struct {
	Filter
	By         string    // a column of load_facts, a tag's key or tag:KEY, day, week, month, year, or time with SplitAt
	SplitAt    time.Time // of By time: arms are before and after it
	Baseline   string    // the arm that others are held against; empty: safetensors, or the one that was measured first
	Arms       []string  // only these; empty: all
	Across     bool      // arms need have nothing in common; what differs is warned of
	Confidence float64
	Seed       uint64 // of the bootstrap
	Draws      int    // of the bootstrap; 0: enough
}

// Pair is one arm held against the baseline, where all else that is asked
// about is the same.
type Pair struct {
	Group         []string // what both arms share: machine, model, benchmark type, …
	Baseline, Arm string
	stats.Comparison
	BeforeLoads, AfterLoads ArmLoads
	MeanRatio               float64 // of means over loads, the reference's measure; over 1, the arm takes longer
	AdjustedP               float64 // Comparison.Test.P, corrected by Holm over all pairs
	Need                    int     // sessions or loads an arm from which on a difference can be told; 0: there are as many
	Warnings                []string
	Apart                   float64 // how much of the machine's moods is in the ratio: 0 if both arms were measured in the same nights, 1 if each had one of its own
	nightsP                 float64 // of a test over the arms' nights, each by the median of its sessions
	machineFirst            bool    // in Group
}

// ArmLoads are the loads of an arm.
type ArmLoads struct {
	N, Failed, Outliers int     // outliers by Tukey's fences; none is left out
	MeanS               float64 // of those that did not fail
	Nights              int     // in which they were measured
}

// Ask answers with a pair for each arm but the baseline, in each group.
func (c Contrast) Ask(ctx context.Context, db *sql.DB) (_ []Pair, err error) {
	if c.By, err = c.resolve(ctx, db); err != nil {
		return nil, err
	}
	sessions, err := c.sessions(ctx, db)
	if err != nil {
		return nil, err
	}
	return c.pairs(sessions)
}

// pairs compares what was measured.
func (c Contrast) pairs(sessions []armSession) ([]Pair, error) {
	if len(sessions) == 0 {
		return nil, errors.New("no loads to compare: sllmq summary says what there is")
	}
	baseline := c.baseline(sessions)
	groups := map[string]map[string][]armSession{}
	for _, s := range sessions {
		if len(c.Arms) > 0 && !slices.Contains(c.Arms, s.arm) {
			continue
		}
		if groups[s.group] == nil {
			groups[s.group] = map[string][]armSession{}
		}
		groups[s.group][s.arm] = append(groups[s.group][s.arm], s)
	}
	var pairs []Pair
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		arms := groups[group]
		for _, arm := range slices.Sorted(maps.Keys(arms)) {
			if arm == baseline || len(arms[baseline]) == 0 {
				continue
			}
			p, err := c.pair(arms[baseline], arms[arm])
			if err != nil {
				return nil, fmt.Errorf("compare %s with %s (%s): %w", arm, baseline, strings.ReplaceAll(group, "\x1f", ", "), err)
			}
			if p != nil {
				p.Group, p.Baseline, p.Arm = strings.Split(group, "\x1f"), baseline, arm
				p.machineFirst = slices.Index(c.shared(), "machine") == 0
				pairs = append(pairs, *p)
			}
		}
	}
	if len(pairs) == 0 {
		return nil, c.nothing(sessions, baseline)
	}
	return pairs, c.correct(pairs)
}

// baseline is the arm that others are held against.
func (c Contrast) baseline(sessions []armSession) string {
	if c.Baseline != "" {
		return c.Baseline
	}
	first := sessions[0]
	for _, s := range sessions {
		if c.By == "format" && s.arm == "safetensors" {
			return s.arm
		}
		if s.startedAt.Before(first.startedAt) {
			first = s
		}
	}
	return first.arm
}

// AloneError says that all loads are of the baseline.
type AloneError struct{ By, Baseline string }

func (e *AloneError) Error() string {
	return fmt.Sprintf("only loads of %s %q are there: nothing to hold against them", e.By, e.Baseline)
}

// nothing says why there is no pair.
func (c Contrast) nothing(sessions []armSession, baseline string) error {
	arms, shared := map[string]bool{}, c.shared()
	values := map[bool][]map[string]bool{} // of the baseline and of others: what they have of each shared column
	for _, is := range []bool{true, false} {
		for range shared {
			values[is] = append(values[is], map[string]bool{})
		}
	}
	for _, s := range sessions {
		if len(c.Arms) > 0 && !slices.Contains(c.Arms, s.arm) {
			continue
		}
		arms[s.arm] = true
		if len(shared) > 0 {
			for i, value := range strings.Split(s.group, "\x1f") {
				values[s.arm == baseline][i][value] = true
			}
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
	for i, column := range shared {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(values[false][i])), func(v string) bool { return values[true][i][v] }) {
			apart = append(apart, column)
		}
	}
	switch {
	case !known:
		return fmt.Errorf("no loads of %s %q to hold others against: there are %s", c.By, baseline, strings.Join(others, ", "))
	case len(others) == 0 && len(c.Arms) > 0:
		named := slices.DeleteFunc(slices.Clone(c.Arms), func(arm string) bool { return arm == baseline })
		return fmt.Errorf("no loads of %s %q to hold against %s", c.By, strings.Join(named, ", "), baseline)
	case len(others) == 0:
		return &AloneError{c.By, baseline}
	case len(apart) > 0:
		return fmt.Errorf("nothing to hold against %s %q: %s: no %s in common with it", c.By, baseline, strings.Join(others, ", "), strings.Join(apart, ", "))
	}
	return fmt.Errorf("nothing to hold against %s %q: no loads of %s that did not fail agree with it in %s", c.By, baseline, strings.Join(others, ", "), strings.Join(shared, ", "))
}

// correct fills in what depends on all pairs.
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

// pair compares two arms of a group; nil if one has no load that counts.
func (c Contrast) pair(before, after []armSession) (*Pair, error) {
	x, y := times(before), times(after)
	if len(x) == 0 || len(y) == 0 {
		return nil, nil
	}
	compared, err := stats.Compare(x, y, stats.CompareOptions{Confidence: c.Confidence, Seed: c.Seed, Draws: c.Draws})
	if err != nil {
		return nil, err
	}
	p := &Pair{Comparison: compared, Warnings: c.warnings(before, after)}
	if p.BeforeLoads, err = loadsOf(before); err != nil {
		return nil, err
	}
	if p.AfterLoads, err = loadsOf(after); err != nil {
		return nil, err
	}
	p.MeanRatio = p.AfterLoads.MeanS / p.BeforeLoads.MeanS
	return p, p.tellNights(before, after)
}

// times are of the loads that did not fail, by session.
func times(sessions []armSession) (all [][]float64) {
	for _, s := range sessions {
		if len(s.seconds) > 0 {
			all = append(all, s.seconds)
		}
	}
	return all
}

func loadsOf(sessions []armSession) (l ArmLoads, err error) {
	all := slices.Concat(times(sessions)...)
	l.N = len(all)
	for _, s := range sessions {
		l.Failed += s.failed
	}
	for _, t := range all {
		l.MeanS += t / float64(len(all))
	}
	outliers, err := stats.OutliersTukey(all, stats.TukeyCutoff)
	l.Outliers = len(outliers)
	return l, err
}
