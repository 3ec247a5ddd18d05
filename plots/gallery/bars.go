package gallery

import (
	"context"
	"database/sql"
	"slices"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// drawBars is the reference's picture.
func drawBars(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	rows, err := queries.Summary(ctx, db, f)
	if err != nil {
		return nil, err
	}
	// Nobody serves with what drops the bytes it read; alone it may be looked at.
	served := slices.ContainsFunc(rows, func(r queries.SummaryRow) bool { return r.Loader != "raw" && r.MeanS != nil })
	var arms []arm
	var counted []queries.SummaryRow
	var loads int64
	for _, r := range rows {
		if r.MeanS == nil || r.Loader == "raw" && served {
			continue
		}
		arms, counted = append(arms, arm{r.Machine, r.Model, r.BenchmarkType, r.Format, r.Loader, r.Device, r.Engine}), append(counted, r)
		loads += r.Loads
	}
	if len(counted) == 0 {
		return nil, errNoLoads
	}
	n := namesFor(arms)
	d := plots.Bars{Caption: n.caption("Mean loading time", loads), Baseline: n.baseline(arms)}
	for i, r := range counted {
		d.Bars = append(d.Bars, plots.Bar{Model: n.model(arms[i]), Arm: n.arm(arms[i]), MeanS: *r.MeanS, MedianS: r.MedianS, Loads: int(r.Loads)})
	}
	return plots.DrawBars(d)
}
