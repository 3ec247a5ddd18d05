package gallery

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
)

// chanceOfChange is how often a change is drawn into a series that has none.
const chanceOfChange = 0.01

// drawTrend draws a point a run, and where the level changed.
func drawTrend(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	levels, err := queries.Levels(ctx, db, f)
	if err != nil {
		return nil, err
	}
	var arms []arm
	var loads int64
	of := map[arm][]queries.Level{}
	for _, l := range levels {
		a := arm{l.Machine, l.Model, l.BenchmarkType, l.Format, l.Loader, l.Device, l.Engine}
		if of[a] == nil {
			arms = append(arms, a)
		}
		of[a] = append(of[a], l)
		loads += l.Loads
	}
	if len(arms) == 0 {
		return nil, errNoLoads
	}
	if len(levels) == len(arms) {
		return nil, errors.New("each was measured once: a trend takes two runs or more")
	}
	n := namesFor(arms)
	d := plots.Trend{Caption: n.caption("Trend of the loading time", loads)}
	d.Subtitle += "; a point a run, its median"
	for _, a := range arms {
		s := plots.TrendSeries{Model: n.model(a), Arm: n.arm(a)}
		var medians []float64
		for _, l := range of[a] {
			s.Points = append(s.Points, plots.TrendPoint{At: l.StartedAt, TimeS: l.MedianS})
			medians = append(medians, l.MedianS)
		}
		changes, err := stats.ChangePoints(medians, chanceOfChange, 0)
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			s.Changes = append(s.Changes, plots.Change{At: of[a][c.Index].StartedAt, Label: whatChanged(of[a][c.Index-1], of[a][c.Index])})
		}
		d.Series = append(d.Series, s)
	}
	return plots.DrawTrend(d)
}

// whatChanged names what is not as it was at the run before.
func whatChanged(before, after queries.Level) string {
	var said []string
	for _, c := range []struct{ what, before, after string }{
		{"sllmq", before.SllmqVersion, after.SllmqVersion},
		{"kernel", before.Kernel, after.Kernel},
		{"driver", before.GPUDriver, after.GPUDriver},
		{"storage", before.StorageDevice, after.StorageDevice},
	} {
		if c.before != c.after {
			said = append(said, c.what+" "+c.after)
		}
	}
	return strings.Join(said, ", ")
}
