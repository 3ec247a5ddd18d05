package gallery

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// drawTrend draws a point a run, and where the level changed.
func drawTrend(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	list, err := queries.Trend{Filter: f, Alpha: queries.TrendAlpha, MinChange: queries.TrendMinChange}.Ask(ctx, db)
	if err != nil {
		return nil, err
	}
	var arms []arm
	var loads int64
	runs := 0
	for _, s := range list {
		arms = append(arms, arm{s.Machine, s.Model, s.BenchmarkType, s.Format, s.Loader, s.Device, s.Engine})
		for _, l := range s.Levels {
			loads += l.Loads
			runs++
		}
	}
	if len(arms) == 0 {
		return nil, errNoLoads
	}
	if runs == len(arms) {
		return nil, errors.New("each was measured once: a trend takes two runs or more")
	}
	n := namesFor(arms)
	d := plots.Trend{Caption: n.caption("Trend of the loading time", loads)}
	d.Subtitle += "; a point a run, its median"
	for i, of := range list {
		s := plots.TrendSeries{Model: n.model(arms[i]), Arm: n.arm(arms[i])}
		for _, l := range of.Levels {
			s.Points = append(s.Points, plots.TrendPoint{At: l.StartedAt, TimeS: l.MedianS})
		}
		for _, stretch := range of.Stretches[1:] {
			s.Changes = append(s.Changes, plots.Change{At: stretch.StartedAt, Label: strings.Join(stretch.With, ", ")})
		}
		d.Series = append(d.Series, s)
	}
	return plots.DrawTrend(d)
}
