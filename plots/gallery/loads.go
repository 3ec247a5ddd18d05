package gallery

import (
	"context"
	"database/sql"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
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
