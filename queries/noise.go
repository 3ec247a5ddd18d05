package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"

	"github.com/sllmq/sllmq/queries/stats"
)

//go:embed sql/twins.sql
var twinsSQL string

//go:embed sql/nights.sql
var nightsSQL string

// nightConfidence is that of the noise from one night to another. It is more
// than is asked of A/A runs: what a night does to all sessions of an arm looks
// significant, so that nothing but this floor stands against it.
const nightConfidence = 0.99

// enoughNights of the baseline make a floor over which a slowdown of 10 % is
// found more often than not on a machine whose nights differ by 3 %.
const enoughNights = 10

// NoiseFloor is how much A/A runs of the loads that f chooses differ: see
// stats.NoiseFloor. Without any, Pairs is 0.
func NoiseFloor(ctx context.Context, db *sql.DB, f Filter, confidence float64) (stats.Noise, error) {
	return floorOf(ctx, db, f, twinsSQL, confidence, stats.NoiseFloor)
}

// nightFloor is how much the baseline differs from itself from one night in
// which it was measured to the next. Without two such nights, Pairs is 0.
func (c Contrast) nightFloor(ctx context.Context, db *sql.DB) (stats.Noise, error) {
	var err error
	if c.By, err = c.resolve(ctx, db); err != nil {
		return stats.Noise{}, err
	}
	arm, err := c.armExpression()
	if err != nil {
		return stats.Noise{}, err
	}
	f := c.Filter
	is := fmt.Sprintf("(%s) = %s", arm, quote(c.Baseline))
	if f.Where != "" {
		is += " AND (" + f.Where + "\n)"
	}
	f.Where = is
	return floorOf(ctx, db, f, nightsSQL, nightConfidence, stats.SureFloor)
}

func floorOf(ctx context.Context, db *sql.DB, f Filter, statement string, confidence float64, floor func([][2]float64, float64) (stats.Noise, error)) (stats.Noise, error) {
	pairs, err := all(ctx, db, "look for noise", func(rows *sql.Rows, p *[2]float64) error { return rows.Scan(&p[0], &p[1]) }, f.over(statement))
	if err != nil || len(pairs) == 0 {
		return stats.Noise{}, err
	}
	return floor(pairs, confidence)
}
