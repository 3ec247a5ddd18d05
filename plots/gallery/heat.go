package gallery

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// drawHeat draws the last sweep of sllmq tune.
func drawHeat(ctx context.Context, db *sql.DB, _ queries.Filter, _ plots.Looks) (*plots.Picture, error) {
	trials, err := queries.Trials(ctx, db)
	if err != nil {
		return nil, err
	}
	if len(trials) == 0 {
		return nil, errors.New("no sweep was measured: run sllmq tune first")
	}
	d := plots.Heat{Subtitle: "on " + trials[0].Machine}
	for _, t := range trials {
		// Each thread has one request in flight, so the depth is the number of threads.
		d.Cells = append(d.Cells, plots.HeatCell{Setting: plots.Setting{Threads: 1, Depth: int(t.Depth), IOBytes: t.IOSizeBytes}, TrialsBytesPerS: t.Each})
	}
	return plots.DrawHeat(d)
}
