package queries

import (
	"math"
	"slices"
	"time"

	"github.com/sllmq/sllmq/queries/stats"
)

// nightGap is the time without loads that separates nights: loads that are closer
// find the machine in the same mood. sql/nights.sql has the same gap.
const nightGap = 2 * time.Hour

// night is the sessions of both arms in a stretch of time without a gap.
type night struct{ before, after []armSession }

// nightsOf returns the nights of two arms' sessions with counted loads, in order.
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

// countNights sets in how many nights the arms were measured, how much nights
// affect their ratio, and the p of the arms' nights.
//
// A night's mood affects an arm by the share of the arm's sessions in that night,
// and the ratio by the difference of the arms' shares. So the variance of the
// ratio is the variance of moods times the sum of the squared differences, which
// is 2 if each arm has a night of its own.
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
