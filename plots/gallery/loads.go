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

// loadsOf are the counted loads that f chooses, and a subtitle. No loads are an
// error.
func loadsOf(ctx context.Context, db *sql.DB, f queries.Filter) ([]queries.Load, string, error) {
	loads, err := queries.Loads(ctx, db, f)
	if err != nil {
		return nil, "", err
	}
	if len(loads) == 0 {
		return nil, "", errNoLoads
	}
	seen := map[string]bool{}
	var machines []string
	for _, l := range loads {
		if !seen[l.Machine] {
			seen[l.Machine] = true
			machines = append(machines, l.Machine)
		}
	}
	return loads, subtitle(int64(len(loads)), machines), nil
}

// byKey groups the values that value finds in loads, in the order in which keys
// first appear.
func byKey[K comparable](loads []queries.Load, value func(queries.Load) (K, float64, bool)) (keys []K, values map[K][]float64) {
	values = map[K][]float64{}
	for _, l := range loads {
		k, v, ok := value(l)
		if !ok {
			continue
		}
		if values[k] == nil {
			keys = append(keys, k)
		}
		values[k] = append(values[k], v)
	}
	return keys, values
}

// seriesOf are the loading times by arm.
func seriesOf(loads []queries.Load) (list []plots.Series) {
	arms, times := byKey(loads, func(l queries.Load) (record.Arm, float64, bool) { return l.Arm, l.LoadingTimeS, true })
	for _, a := range arms {
		list = append(list, plots.Series{Arm: a, TimesS: times[a]})
	}
	return list
}

func drawECDF(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	loads, subtitle, err := loadsOf(ctx, db, f)
	if err != nil {
		return nil, err
	}
	return plots.DrawECDF(plots.ECDF{Subtitle: subtitle, Series: seriesOf(loads)})
}

func drawBox(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	loads, subtitle, err := loadsOf(ctx, db, f)
	if err != nil {
		return nil, err
	}
	return plots.DrawBox(plots.Box{Subtitle: subtitle, Series: seriesOf(loads)})
}

func drawEfficiency(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
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
	d := plots.Efficiency{Subtitle: subtitle}
	for _, a := range arms {
		d.Arms = append(d.Arms, plots.ArmEfficiency{Arm: a, Efficiencies: efficiencies[a]})
	}
	return plots.DrawEfficiency(d)
}

func drawSizeTime(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
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
	d := plots.SizeTime{Subtitle: subtitle + "; medians"}
	for _, k := range keys {
		d.Loads = append(d.Loads, plots.SizedLoad{Arm: k.Arm, Bytes: float64(k.bytes), TimeS: stats.Median(times[k])})
	}
	best, err := queries.BestRooflines(ctx, db, f)
	if err != nil {
		return nil, err
	}
	for _, b := range best {
		d.Rooflines = append(d.Rooflines, plots.Roofline{Name: strings.ReplaceAll(b.Kind, "_", " "), BytesPerS: b.BytesPerS})
	}
	return plots.DrawSizeTime(d)
}
