package gallery

import (
	"context"
	"database/sql"
	"slices"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/warehouse/record"
)

// drawBars draws the picture of ServerlessLLM's benchmark.
func drawBars(ctx context.Context, db *sql.DB, f queries.Filter, looks plots.Looks) (*plots.Picture, error) {
	rows, err := queries.Summary(ctx, db, f)
	if err != nil {
		return nil, err
	}
	// raw drops the bytes that it reads, so nobody serves with it. It is drawn only
	// if there is nothing else.
	rows = slices.DeleteFunc(rows, func(r queries.SummaryRow) bool { return r.MeanS == nil })
	if served := slices.DeleteFunc(slices.Clone(rows), func(r queries.SummaryRow) bool { return r.Loader == "raw" }); len(served) > 0 {
		rows = served
	}
	if len(rows) == 0 {
		return nil, errNoLoads
	}
	d := plots.Bars{Looks: looks}
	var arms []record.Arm
	var machines []string
	var loads int64
	for _, r := range rows {
		arms, machines, loads = append(arms, r.Arm), append(machines, r.Machine), loads+r.Loads
		d.Bars = append(d.Bars, plots.Bar{Arm: r.Arm, MeanS: *r.MeanS, MedianS: r.MedianS, Loads: int(r.Loads)})
	}
	d.Subtitle, d.Baseline = subtitle(loads, machines), Baseline(arms)
	return plots.DrawBars(d)
}
