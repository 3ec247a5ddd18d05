package gallery

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

func drawStages(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	rows, err := queries.Stages(ctx, db, f)
	if err != nil {
		return nil, err
	}
	var arms []arm
	for _, r := range rows {
		arms = append(arms, arm{r.Machine, r.Model, r.BenchmarkType, r.Format, r.Loader, r.Device, r.Engine})
	}
	if len(arms) == 0 {
		return nil, errors.New("no stages of these loads are known")
	}
	n := namesFor(arms)
	d := plots.Stages{Caption: plots.Caption{Title: "Stages of loading " + about(n.models), Subtitle: "medians of counted loads on " + n.where()}}
	for i, r := range rows {
		if i == 0 || arms[i] != arms[i-1] {
			d.Rows = append(d.Rows, plots.StageRow{Model: n.model(arms[i]), Arm: n.arm(arms[i]), LoadingTimeS: new(r.LoadingTimeS)})
		}
		row := &d.Rows[len(d.Rows)-1]
		row.Stages = append(row.Stages, plots.Stage{Name: r.Stage, DurationS: r.DurationS})
	}
	return plots.DrawStages(d)
}
