package gallery

import (
	"context"
	"database/sql"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// drawECDF draws the distribution of loading times.
func drawECDF(ctx context.Context, db *sql.DB, f queries.Filter, looks plots.Looks) (*plots.Picture, error) {
	loads, subtitle, err := loadsOf(ctx, db, f)
	if err != nil {
		return nil, err
	}
	return plots.DrawECDF(plots.ECDF{Looks: looks, Subtitle: subtitle, Series: seriesOf(loads)})
}
