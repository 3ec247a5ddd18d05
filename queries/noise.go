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

// nightConfidence is the confidence of the noise between nights. It is higher than
// that of A/A runs: what a night does to all sessions of an arm looks significant,
// so that only this floor guards against it.
const nightConfidence = 0.99

// enoughNights of the baseline make a floor low enough to find a slowdown of 10 %
// more often than not on a machine whose nights differ by 3 %.
const enoughNights = 10

// NoiseFloor returns how much A/A runs of the loads that f chooses differ: see
// stats.NoiseFloor. Pairs is 0 if there are none.
func NoiseFloor(ctx context.Context, db *sql.DB, f Filter, confidence float64) (stats.Noise, error) {
	statement, arguments := f.narrow(twinsSQL)
	pairs, err := measuredTwice(ctx, db, statement, arguments)
	if err != nil || len(pairs) == 0 {
		return stats.Noise{}, err
	}
	return stats.NoiseFloor(pairs, confidence)
}

// nightFloor returns how much the baseline differs from itself between the nights
// in which it was measured. Pairs is 0 without two such nights.
func (c Contrast) nightFloor(ctx context.Context, db *sql.DB) (stats.Noise, error) {
	var err error
	if c.By, err = c.resolve(ctx, db); err != nil {
		return stats.Noise{}, err
	}
	var v values
	arm, err := c.armExpression(&v)
	if err != nil {
		return stats.Noise{}, err
	}
	baseline := fmt.Sprintf("(%s) = %s", arm, v.text(c.Baseline))
	pairs, err := measuredTwice(ctx, db, over(nightsSQL, nil, append(c.conditions(&v), baseline)), v.arguments)
	if err != nil || len(pairs) == 0 {
		return stats.Noise{}, err
	}
	return stats.SureFloor(pairs, nightConfidence)
}

// measuredTwice returns the medians of each thing that a statement finds
// measured twice.
func measuredTwice(ctx context.Context, db *sql.DB, statement string, arguments []any) ([][2]float64, error) {
	type row struct {
		A float64 `db:"a_s"`
		B float64 `db:"b_s"`
	}
	var pairs [][2]float64
	for r, err := range each[row](ctx, db, "measure noise", statement, arguments...) {
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]float64{r.A, r.B})
	}
	return pairs, nil
}
