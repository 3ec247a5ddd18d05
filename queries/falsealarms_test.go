package queries

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/queries/stats"
)

// bench draws sessions as a machine gives them: each has luck of its own on top
// of a drift that goes from session to session, its loads have a skewed error,
// and a few take far longer.
type bench struct {
	*rand.Rand
	drift float64 // of the session that was last
}

const (
	sessionLuck = 0.015 // standard deviations, of logarithms of time
	driftSize   = 0.015
	driftKept   = 0.8 // of the drift, from a session to the next
	loadNoise   = 0.012
	loadTail    = 0.01 // mean of an exponential
	outlierRate = 0.01
	nightSize   = 0.015 // from night to night, on top

	sessionLoads = 5
)

func newBench(seed uint64) *bench {
	b := &bench{Rand: rand.New(rand.NewPCG(seed, 1))}
	b.drift = driftSize * b.NormFloat64()
	return b
}

// session is of an arm that takes so many times as long as it should.
func (b *bench) session(arm string, factor float64) armSession {
	b.drift = driftKept*b.drift + math.Sqrt(1-driftKept*driftKept)*driftSize*b.NormFloat64()
	level := factor * math.Exp(b.drift+sessionLuck*b.NormFloat64())
	s := armSession{arm: arm, group: "m", startedAt: time.Unix(0, 0), conditions: []portion{{make([]string, len(watchedColumns)), sessionLoads}}}
	for range sessionLoads {
		t := level * math.Exp(loadNoise*b.NormFloat64()+loadTail*b.ExpFloat64())
		if b.Float64() < outlierRate {
			t *= 1.3 + 2*b.Float64()
		}
		s.seconds = append(s.seconds, t)
	}
	return s
}

// An order is how the sessions of two arms lie in time.
type order struct {
	name    string
	arrange func(b *bench, sessions int, slowdown float64) []armSession
}

var orders = []order{
	{"in turns", func(b *bench, sessions int, slowdown float64) (all []armSession) {
		for range sessions {
			all = append(all, b.session("main", 1), b.session("mine", slowdown))
		}
		return all
	}},
	{"one after the other", func(b *bench, sessions int, slowdown float64) (all []armSession) {
		for range sessions {
			all = append(all, b.session("main", 1))
		}
		for range sessions {
			all = append(all, b.session("mine", slowdown))
		}
		return all
	}},
	{"on two nights", func(b *bench, sessions int, slowdown float64) []armSession {
		return append(b.night("main", sessions, 1), b.night("mine", sessions, slowdown)...)
	}},
	{"on five nights each", func(b *bench, sessions int, slowdown float64) (all []armSession) {
		for range 5 {
			all = append(append(all, b.night("main", sessions/5, 1)...), b.night("mine", sessions/5, slowdown)...)
		}
		return all
	}},
}

// twins are what so many pairs of an A/A run measure.
func (b *bench) twins(t *testing.T, pairs int) stats.Noise {
	return floorFrom(t, pairs, 0.95, func() (x, y []armSession) {
		return []armSession{b.session("a", 1)}, []armSession{b.session("b", 1)}
	})
}

// nights are what the baseline shows in twice so many nights.
func (b *bench) nights(t *testing.T, pairs, sessions int) stats.Noise {
	return floorFrom(t, pairs, nightConfidence, func() (x, y []armSession) { return b.night("main", sessions, 1), b.night("main", sessions, 1) })
}

// night is so many sessions of an arm, and a mood.
func (b *bench) night(arm string, sessions int, factor float64) (all []armSession) {
	b.drift = driftSize * b.NormFloat64()
	mood := math.Exp(nightSize * b.NormFloat64())
	for range sessions {
		s := b.session(arm, mood*factor)
		s.collect = fmt.Sprint(arm, mood)
		all = append(all, s)
	}
	return all
}

func floorFrom(t *testing.T, pairs int, confidence float64, measure func() (x, y []armSession)) stats.Noise {
	var medians [][2]float64
	for range pairs {
		x, y := measure()
		all := stats.Units([][]float64{slices.Concat(times(x)...), slices.Concat(times(y)...)})
		medians = append(medians, [2]float64{all[0], all[1]})
	}
	noise, err := stats.NoiseFloor(medians, confidence)
	if err != nil {
		t.Fatal(err)
	}
	return noise
}

// TestFalseAlarms counts how often the gate finds a regression where there is
// none, and how often one of 10 % is found. Its seeds are fixed, so it says the
// same each time; make false-alarms prints the table.
//
// What one night does to all sessions of an arm looks like a change, and only
// the baseline's other nights say how much that is: without them the row is
// shown, and not held to anything.
func TestFalseAlarms(t *testing.T) {
	const comparisons, allowed = 1000, 0.05
	var table strings.Builder
	fmt.Fprintf(&table, "%d comparisons a figure, --max-slowdown 5%%, %d loads a session\n%-21s%9s%16s%14s%10s%12s\n", comparisons, sessionLoads, "arms measured", "sessions", "noise floor", "false alarms", "passed", "10 % found")
	for _, c := range []struct {
		order         order
		twins, nights int
		shownAlone    bool
	}{
		{order: orders[0]}, {order: orders[0], twins: 20},
		{order: orders[1]}, {order: orders[1], twins: 20},
		{order: orders[2], shownAlone: true}, {order: orders[2], nights: 99},
		{order: orders[3]}, {order: orders[3], nights: 99},
	} {
		for _, sessions := range []int{5, 10} {
			floors := make([]Noise, comparisons)
			for seed := range floors {
				b := newBench(uint64(seed) + comparisons)
				if c.twins > 0 {
					floors[seed].Twins = b.twins(t, c.twins)
				}
				if c.nights > 0 {
					floors[seed].Nights = b.nights(t, c.nights, sessions)
				}
			}
			share := func(slowdown float64) map[stats.Verdict]float64 {
				of := map[stats.Verdict]float64{}
				for seed, noise := range floors {
					check := Check{Contrast: Contrast{By: "branch", Baseline: "main", Confidence: 0.95, Draws: 1}, MaxSlowdown: allowed}
					pairs, err := check.pairs(c.order.arrange(newBench(uint64(seed)), sessions, slowdown))
					if err != nil {
						t.Fatal(err)
					}
					checked, err := check.judge(pairs, noise)
					if err != nil {
						t.Fatal(err)
					}
					of[checked.Verdict] += 100.0 / comparisons
				}
				return of
			}
			same, slower := share(1), share(1.1)
			floor := "none"
			switch {
			case c.twins > 0:
				floor = fmt.Sprintf("%d A/A pairs", c.twins)
			case c.nights > 0:
				floor = fmt.Sprintf("%d night pairs", c.nights)
			}
			alarms := same[stats.Regression]
			fmt.Fprintf(&table, "%-21s%9d%16s%12.1f %%%8.1f %%%10.1f %%\n", c.order.name, sessions, floor, alarms, same[stats.NoRegression], slower[stats.Regression])
			if alarms > 0.95 && !c.shownAlone {
				t.Errorf("%s, %d sessions, %s: %.1f %% false alarms", c.order.name, sessions, floor, alarms)
			}
		}
	}
	t.Log("\n" + table.String())
}
