package gallery

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// drawStages draws the median start and end of each arm's stages.
func drawStages(ctx context.Context, db *sql.DB, f queries.Filter, _ plots.Looks) (*plots.Picture, error) {
	rows, err := queries.Stages(ctx, db, f)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("these loads have no recorded stages")
	}
	var d plots.Stages
	var machines []string
	for i, r := range rows {
		machines = append(machines, r.Machine)
		if i == 0 || r.Arm != rows[i-1].Arm {
			d.Arms = append(d.Arms, plots.ArmStages{Arm: r.Arm, LoadingTimeS: new(r.LoadingTimeS)})
		}
		a := &d.Arms[len(d.Arms)-1]
		a.Stages = append(a.Stages, plots.Stage{Name: r.Stage, StartS: r.StartS, EndS: r.EndS})
	}
	d.Subtitle = "median starts, ends and loading times of counted loads on " + where(machines)
	return plots.DrawStages(d)
}
