package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

//go:embed sql/levels.sql
var levelsSQL string

// Level is the median loading time of one run and the conditions that trends
// look at; a condition that is not known is empty.
type Level struct {
	RunID     string    `db:"run_id"`
	StartedAt time.Time `db:"started_at"` // of its first load
	record.Arm
	Loads         int64   `db:"loads"`
	MedianS       float64 `db:"median_s"`
	SllmqVersion  string  `db:"sllmq_version"`
	Kernel        string  `db:"kernel"`
	GPUDriver     string  `db:"gpu_driver"`
	StorageDevice string  `db:"storage_device"`
	Tags          string  `db:"tagged"` // KEY=VALUE, separated by commas
}

// Levels answers sql/levels.sql for the loads that f chooses.
func Levels(ctx context.Context, db *sql.DB, f Filter) ([]Level, error) {
	return narrowed[Level](ctx, db, "list runs in time", levelsSQL, f)
}

// Trend finds where the level of loading times changed over time.
type Trend struct {
	Filter
	Alpha     float64 // probability of splitting a series that does not change
	MinChange float64 // ignore smaller changes: 0.03 is 3 %
	By        string  // one of TrendColumns, whose values are the levels; empty: find levels from the times
}

// Defaults of Trend.
const (
	TrendAlpha     = 0.01
	TrendMinChange = 0.03
)

// trendColumn is a condition that may change a level, and its name in sentences.
type trendColumn struct {
	name, word string
	of         func(Level) string
}

var trendColumns = []trendColumn{
	{"sllmq_version", "sllmq", func(l Level) string { return l.SllmqVersion }},
	{"kernel", "kernel", func(l Level) string { return l.Kernel }},
	{"gpu_driver", "driver", func(l Level) string { return l.GPUDriver }},
	{"storage_device", "storage", func(l Level) string { return l.StorageDevice }},
}

// TrendColumns lists the values of Trend.By.
func TrendColumns() (names []string) {
	for _, c := range trendColumns {
		names = append(names, c.name)
	}
	return names
}

// TrendNeed is how many runs are needed to find a change.
const TrendNeed = 8

// TrendSeries is one arm over time.
type TrendSeries struct {
	record.Arm
	Levels    []Level // runs, in order of time
	Stretches []Stretch
	Tags      []string // of its runs, if they differ
}

// Stretch is a part of a series with one level. The first begins with the
// series.
type Stretch struct {
	Index     int // of its first run
	Runs      int
	StartedAt time.Time // of its first run
	MedianS   float64   // of its runs' medians
	Change    float64   // from the stretch before: 0.1 is 10 % slower
	P         float64   // of the change, from permutations; with By, from a Mann-Whitney U test
	Value     string    // of By
	With      []string  // what else changed at its start: kernel A -> B
}

// Ask returns a series for each arm.
func (t Trend) Ask(ctx context.Context, db *sql.DB) ([]TrendSeries, error) {
	levels, err := Levels(ctx, db, t.Filter)
	if err != nil {
		return nil, err
	}
	var list []TrendSeries
	for _, l := range levels {
		if n := len(list); n == 0 || list[n-1].Arm != l.Arm {
			list = append(list, TrendSeries{Arm: l.Arm})
		}
		last := &list[len(list)-1]
		last.Levels = append(last.Levels, l)
		if !slices.Contains(last.Tags, l.Tags) {
			last.Tags = append(last.Tags, l.Tags)
		}
	}
	for i := range list {
		s := &list[i]
		if len(s.Tags) == 1 {
			s.Tags = nil
		}
		if s.Stretches, err = t.split(ctx, s.Levels); err != nil {
			return nil, fmt.Errorf("trend of %s, %s: %w", s.Model, s.Loader, err)
		}
	}
	return list, nil
}

// split finds the stretches of a series.
func (t Trend) split(ctx context.Context, levels []Level) ([]Stretch, error) {
	starts := map[int]float64{0: math.NaN()} // index of each stretch's first run, and its p
	if t.By == "" {
		points, err := stats.ChangePoints(ctx, medians(levels), t.Alpha, 0)
		if err != nil {
			return nil, err
		}
		for _, p := range points {
			starts[p.Index] = p.P
		}
	} else {
		i := slices.IndexFunc(trendColumns, func(c trendColumn) bool { return c.name == t.By })
		if i < 0 {
			return nil, fmt.Errorf("cannot find a trend by %q", t.By)
		}
		for k := 1; k < len(levels); k++ {
			if of := trendColumns[i].of; of(levels[k]) != of(levels[k-1]) {
				starts[k] = math.NaN()
			}
		}
	}
	stretches := stretch(levels, starts)
	for t.By == "" { // drop the smallest change until all are large enough
		least := 0
		for i := 1; i < len(stretches); i++ {
			if least == 0 || math.Abs(math.Log1p(stretches[i].Change)) < math.Abs(math.Log1p(stretches[least].Change)) {
				least = i
			}
		}
		if least == 0 || math.Abs(stretches[least].Change) > t.MinChange {
			break
		}
		delete(starts, stretches[least].Index)
		stretches = stretch(levels, starts)
	}
	return stretches, t.explain(levels, stretches)
}

func medians(levels []Level) (all []float64) {
	for _, l := range levels {
		all = append(all, l.MedianS)
	}
	return all
}

// stretch cuts a series where stretches start.
func stretch(levels []Level, starts map[int]float64) (all []Stretch) {
	for i, l := range levels {
		if p, ok := starts[i]; ok {
			all = append(all, Stretch{Index: i, StartedAt: l.StartedAt, P: p})
		}
		all[len(all)-1].Runs++
	}
	for i := range all {
		s := &all[i]
		s.MedianS = stats.Median(medians(levels[s.Index : s.Index+s.Runs]))
		if i > 0 {
			s.Change = s.MedianS/all[i-1].MedianS - 1
		}
	}
	return all
}

// explain finds what else changed where the level did, or up to two runs away: the
// start of a level of only a few runs is found a little early or late.
func (t Trend) explain(levels []Level, stretches []Stretch) error {
	for i := range stretches {
		s := &stretches[i]
		for _, c := range trendColumns {
			if c.name == t.By {
				s.Value = c.of(levels[s.Index])
				continue
			}
			if i == 0 {
				continue
			}
			for _, off := range []int{0, -1, 1, -2, 2} {
				k := s.Index + off
				if k < 1 || k >= len(levels) || c.of(levels[k]) == c.of(levels[k-1]) {
					continue
				}
				with := fmt.Sprintf("%s %s -> %s", c.word, orNone(c.of(levels[k-1])), orNone(c.of(levels[k])))
				with += map[int]string{-2: " (2 runs before)", -1: " (a run before)", 1: " (a run after)", 2: " (2 runs after)"}[off]
				s.With = append(s.With, with)
				break
			}
		}
		if t.By != "" && i > 0 {
			before := stretches[i-1]
			test, err := stats.MannWhitney(medians(levels[before.Index:before.Index+before.Runs]), medians(levels[s.Index:s.Index+s.Runs]))
			if err != nil {
				return err
			}
			s.P = test.P
		}
	}
	return nil
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return value
}
