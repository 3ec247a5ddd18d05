package gallery

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

func drawHeat(ctx context.Context, db *sql.DB, _ queries.Filter) (*plots.Picture, error) {
	trials, err := queries.Trials(ctx, db)
	if err != nil {
		return nil, err
	}
	if len(trials) == 0 {
		return nil, errors.New("no sweep was measured: run sllmq tune first")
	}
	d := plots.Heat{Caption: plots.Caption{Subtitle: "on " + trials[0].Machine}}
	for _, t := range trials {
		// A thread has one request in flight, so that depth says it all.
		d.Cells = append(d.Cells, plots.HeatCell{Threads: 1, Depth: int(t.Depth), IOBytes: t.IOSizeBytes, BytesPS: t.BytesPerS})
	}
	return plots.DrawHeat(d)
}
