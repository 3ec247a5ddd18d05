package queries

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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
	now   time.Time
	mood  float64 // of the night
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
	b := &bench{Rand: rand.New(rand.NewPCG(seed, 1)), mood: 1}
	b.drift = driftSize * b.NormFloat64()
	return b
}

// session is of an arm that takes so many times as long as it should.
func (b *bench) session(arm string, factor float64) armSession {
	b.drift = driftKept*b.drift + math.Sqrt(1-driftKept*driftKept)*driftSize*b.NormFloat64()
	level := b.mood * factor * math.Exp(b.drift+sessionLuck*b.NormFloat64())
	b.now = b.now.Add(10 * time.Minute)
	s := armSession{Compared: arm, StartedAt: b.now, LastAt: b.now.Add(time.Minute)}
	for range sessionLoads {
		t := level * math.Exp(loadNoise*b.NormFloat64()+loadTail*b.ExpFloat64())
		if b.Float64() < outlierRate {
			t *= 1.3 + 2*b.Float64()
		}
		s.Seconds = append(s.Seconds, t)
	}
	return s
}

// evening begins a night, which has a mood.
func (b *bench) evening() {
	b.drift = driftSize * b.NormFloat64()
	b.mood = math.Exp(nightSize * b.NormFloat64())
	b.now = b.now.AddDate(0, 0, 1)
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
	{"one after the other", func(b *bench, sessions int, slowdown float64) []armSession {
		return append(b.several("main", sessions, 1), b.several("mine", sessions, slowdown)...)
	}},
	{"main in 1 night, mine in the next", nightly(1)},
	{"main in 4 nights, mine in the next", nightly(4)},
	{"main in 10 nights, mine in the next", nightly(10)},
	{"main in 30 nights, mine in the next", nightly(30)},
	{"main in 10 nights, mine in the last", func(b *bench, sessions int, slowdown float64) (all []armSession) {
		for range 10 {
			b.evening()
			all = append(all, b.several("main", sessions, 1)...)
		}
		return append(all, b.several("mine", sessions, slowdown)...)
	}},
	{"in 5 nights each", func(b *bench, sessions int, slowdown float64) (all []armSession) {
		for range 5 {
			b.evening()
			all = append(all, b.several("main", sessions/5, 1)...)
			b.evening()
			all = append(all, b.several("mine", sessions/5, slowdown)...)
		}
		return all
	}},
}

// nightly measures main in so many nights, and mine in one after them.
func nightly(nights int) func(b *bench, sessions int, slowdown float64) []armSession {
	return func(b *bench, sessions int, slowdown float64) (all []armSession) {
		for range nights {
			b.evening()
			all = append(all, b.several("main", sessions, 1)...)
		}
		b.evening()
		return append(all, b.several("mine", sessions, slowdown)...)
	}
}

func (b *bench) several(arm string, sessions int, factor float64) (all []armSession) {
	for range sessions {
		all = append(all, b.session(arm, factor))
	}
	return all
}

// twins are what so many pairs of an A/A run measure.
func (b *bench) twins(t *testing.T, pairs int) stats.Noise {
	var medians [][2]float64
	for range pairs {
		medians = append(medians, [2]float64{medianOf(t, b.several("a", 1, 1)), medianOf(t, b.several("b", 1, 1))})
	}
	noise, err := stats.NoiseFloor(medians, 0.95)
	if err != nil {
		t.Error(err)
	}
	return noise
}

// nightFloorOf is what sql/nights.sql has of the baseline's sessions.
func nightFloorOf(t *testing.T, all []armSession) stats.Noise {
	nights := nightsOf(slices.DeleteFunc(slices.Clone(all), func(s armSession) bool { return s.Compared != "main" }), nil)
	var medians [][2]float64
	for pair := range slices.Chunk(nights, 2) {
		if len(pair) == 2 {
			medians = append(medians, [2]float64{medianOf(t, pair[0].before), medianOf(t, pair[1].before)})
		}
	}
	if len(medians) == 0 {
		return stats.Noise{}
	}
	noise, err := stats.SureFloor(medians, nightConfidence)
	if err != nil {
		t.Error(err)
	}
	return noise
}

func medianOf(t *testing.T, sessions []armSession) float64 {
	s, err := stats.Summarize(slices.Concat(times(sessions)...), 0.95)
	if err != nil {
		t.Error(err)
	}
	return s.Median
}

// TestFalseAlarms counts how often the gate finds a regression where there is
// none, and how often one of 10 % is found, in sessions that lie in time as they
// may. Its seeds are fixed, so it says the same each time; make false-alarms prints
// the table.
func TestFalseAlarms(t *testing.T) {
	const comparisons, allowed = 1000, 0.05
	type row struct {
		order
		twins, sessions int
		same, slower    map[stats.Verdict]float64 // in percent
	}
	var rows []*row
	for i, o := range orders {
		for _, twins := range []int{0, 20} {
			if twins > 0 && i > 1 {
				continue // where nights matter more
			}
			for _, sessions := range []int{5, 10} {
				rows = append(rows, &row{order: o, twins: twins, sessions: sessions})
			}
		}
	}
	check := Check{Contrast: Contrast{By: "branch", Baseline: "main", Confidence: 0.95, Draws: 1}, MaxSlowdown: allowed}
	shares := func(r *row, slowdown float64) map[stats.Verdict]float64 {
		of := map[stats.Verdict]float64{}
		for seed := range uint64(comparisons) {
			measured := r.arrange(newBench(seed), r.sessions, slowdown)
			noise := Noise{Nights: nightFloorOf(t, measured)}
			if r.twins > 0 {
				noise.Twins = newBench(seed+comparisons).twins(t, r.twins)
			}
			pairs, err := check.pairs(t.Context(), measured, nil)
			if err != nil {
				t.Error(err)
				return of
			}
			checked, err := check.judge(pairs, noise)
			if err != nil {
				t.Error(err)
			}
			of[checked.Verdict] += 100.0 / comparisons
		}
		return of
	}
	var wg sync.WaitGroup
	for _, r := range rows {
		wg.Go(func() { r.same, r.slower = shares(r, 1), shares(r, 1.1) })
	}
	wg.Wait()
	var table strings.Builder
	fmt.Fprintf(&table, "%d comparisons a figure, --max-slowdown 5%%, %d loads a session\n%-37s%5s%9s%14s%10s%12s\n", comparisons, sessionLoads, "arms measured", "A/A", "sessions", "false alarms", "passed", "10 % found")
	for _, r := range rows {
		alarms := r.same[stats.Regression]
		fmt.Fprintf(&table, "%-37s%5d%9d%12.1f %%%8.1f %%%10.1f %%\n", r.name, r.twins, r.sessions, alarms, r.same[stats.NoRegression], r.slower[stats.Regression])
		if alarms > 0.95 {
			t.Errorf("%s, %d sessions, %d A/A pairs: %.1f %% false alarms", r.name, r.sessions, r.twins, alarms)
		}
	}
	t.Log("\n" + table.String())
}
