package queries

import (
	"math"
	"slices"
	"time"

	"github.com/sllmq/sllmq/queries/stats"
)

// nightGap parts nights: what is measured sooner after a load finds the machine
// in the same mood. sql/nights.sql has the same.
const nightGap = 2 * time.Hour

// night is a stretch of time without a gap, and the sessions of both arms in it.
type night struct{ before, after []armSession }

// nightsOf are those of two arms' sessions with loads that count, in order.
func nightsOf(before, after []armSession) []night {
	type session struct {
		armSession
		after bool
	}
	var all []session
	for _, s := range before {
		all = append(all, session{s, false})
	}
	for _, s := range after {
		all = append(all, session{s, true})
	}
	all = slices.DeleteFunc(all, func(s session) bool { return len(s.Seconds) == 0 })
	slices.SortStableFunc(all, func(a, b session) int { return a.StartedAt.Compare(b.StartedAt) })
	var nights []night
	var last time.Time
	for i, s := range all {
		if i == 0 || s.StartedAt.Sub(last) > nightGap {
			nights = append(nights, night{})
		}
		if s.LastAt.After(last) || i == 0 {
			last = s.LastAt
		}
		n := &nights[len(nights)-1]
		if s.after {
			n.after = append(n.after, s.armSession)
		} else {
			n.before = append(n.before, s.armSession)
		}
	}
	return nights
}

// countNights says in how many nights the arms were measured, how much of what
// nights do is in their ratio, and whether the nights tell the arms apart.
//
// A night's mood is in an arm by the share of its sessions that were measured
// then, and in the ratio by the difference of both arms' shares. So the ratio has
// the sum of these differences' squares of the moods' variance: 2 of a night
// each.
func (p *Pair) countNights(before, after []armSession) error {
	nights := nightsOf(before, after)
	sessions := [2]float64{float64(len(times(before))), float64(len(times(after)))}
	var medians [2][]float64
	variance := 0.0
	for _, n := range nights {
		share := float64(len(n.before))/sessions[0] - float64(len(n.after))/sessions[1]
		variance += share * share
		for i, side := range [][]armSession{n.before, n.after} {
			if len(side) == 0 {
				continue
			}
			s, err := stats.Summarize(stats.Units(times(side)), nightConfidence)
			if err != nil {
				return err
			}
			medians[i] = append(medians[i], s.Median)
		}
	}
	p.Apart = math.Sqrt(variance / 2)
	p.BeforeLoads.Nights, p.AfterLoads.Nights = len(medians[0]), len(medians[1])
	test, err := stats.MannWhitney(medians[0], medians[1])
	p.nightsP = test.P
	return err
}
