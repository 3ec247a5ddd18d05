package gallery

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// drawTrend draws a point per run, and where the level changed.
func drawTrend(ctx context.Context, db *sql.DB, f queries.Filter, looks plots.Looks) (*plots.Picture, error) {
	list, err := queries.Trend{Filter: f, Alpha: queries.TrendAlpha, MinChange: queries.TrendMinChange}.Ask(ctx, db)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errNoLoads
	}
	d := plots.Trend{Looks: looks}
	var machines []string
	var loads int64
	runs := 0
	for _, t := range list {
		machines = append(machines, t.Machine)
		s := plots.TrendSeries{Arm: t.Arm}
		for _, l := range t.Levels {
			loads += l.Loads
			runs++
			s.Points = append(s.Points, plots.TrendPoint{At: l.StartedAt, TimeS: l.MedianS})
		}
		for _, stretch := range t.Stretches[1:] {
			s.Changes = append(s.Changes, plots.Change{At: stretch.StartedAt, Label: strings.Join(stretch.With, ", ")})
		}
		d.Series = append(d.Series, s)
	}
	if runs == len(list) {
		return nil, errors.New("every arm was measured once: a trend needs two runs or more")
	}
	d.Subtitle = subtitle(loads, machines) + "; points: medians of runs"
	return plots.DrawTrend(d)
}
