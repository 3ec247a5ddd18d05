package queries

import (
	"context"
	"database/sql"
	_ "embed"

	"github.com/sllmq/sllmq/queries/stats"
)

//go:embed sql/twins.sql
var twinsSQL string

// NoiseFloor is how much A/A runs of the loads that f chooses differ: see
// stats.NoiseFloor. Without any, Pairs is 0.
func NoiseFloor(ctx context.Context, db *sql.DB, f Filter, confidence float64) (stats.Noise, error) {
	pairs, err := all(ctx, db, "look for A/A runs", func(rows *sql.Rows, p *[2]float64) error { return rows.Scan(&p[0], &p[1]) }, f.over(twinsSQL), f.arguments()...)
	if err != nil || len(pairs) == 0 {
		return stats.Noise{}, err
	}
	return stats.NoiseFloor(pairs, confidence)
}
