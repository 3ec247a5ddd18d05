package gallery

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/warehouse/record"
)

// drawEfficiency draws the loads that have a roofline.
func drawEfficiency(ctx context.Context, db *sql.DB, f queries.Filter, looks plots.Looks) (*plots.Picture, error) {
	loads, subtitle, err := loadsOf(ctx, db, f)
	if err != nil {
		return nil, err
	}
	arms, efficiencies := byKey(loads, func(l queries.Load) (record.Arm, float64, bool) {
		if l.Efficiency == nil {
			return l.Arm, 0, false
		}
		return l.Arm, *l.Efficiency, true
	})
	if len(arms) == 0 {
		return nil, errors.New("these loads have no roofline: collect without --no-roofline")
	}
	d := plots.Efficiency{Looks: looks, Subtitle: subtitle}
	for _, a := range arms {
		d.Arms = append(d.Arms, plots.ArmEfficiency{Arm: a, Efficiencies: efficiencies[a]})
	}
	return plots.DrawEfficiency(d)
}
