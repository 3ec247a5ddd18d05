package gallery

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

// drawSizeTime draws the median of each arm, with the rooflines of its machine.
func drawSizeTime(ctx context.Context, db *sql.DB, f queries.Filter, looks plots.Looks) (*plots.Picture, error) {
	loads, subtitle, err := loadsOf(ctx, db, f)
	if err != nil {
		return nil, err
	}
	type sized struct {
		record.Arm
		bytes int64
	}
	keys, times := byKey(loads, func(l queries.Load) (sized, float64, bool) {
		if l.Bytes == nil || *l.Bytes <= 0 || l.LoadingTimeS <= 0 {
			return sized{}, 0, false
		}
		return sized{l.Arm, *l.Bytes}, l.LoadingTimeS, true
	})
	if len(keys) == 0 {
		return nil, errors.New("the sizes of these loads are unknown")
	}
	d := plots.SizeTime{Looks: looks, Subtitle: subtitle + "; medians"}
	for _, k := range keys {
		d.Loads = append(d.Loads, plots.SizedLoad{Arm: k.Arm, Bytes: float64(k.bytes), TimeS: stats.Median(times[k])})
	}
	best, err := queries.BestRooflines(ctx, db, f)
	if err != nil {
		return nil, err
	}
	for _, b := range best {
		d.Rooflines = append(d.Rooflines, plots.Roofline{Machine: b.Machine, Name: strings.ReplaceAll(b.Kind, "_", " "), BytesPerS: b.BytesPerS})
	}
	return plots.DrawSizeTime(d)
}
