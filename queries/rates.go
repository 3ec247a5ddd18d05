package queries

import (
	"context"
	"database/sql"
	_ "embed"
)

//go:embed sql/rates.sql
var ratesSQL string

// Rate is how fast loads of a kind were on a machine, whatever the model.
type Rate struct {
	Format, Loader, BenchmarkType string
	BytesPerS                     float64  // median
	DecodeBytesPerS               *float64 // weights read while texts were generated; nil: none were
}

// Rates answers sql/rates.sql for a machine by its name.
func Rates(ctx context.Context, db *sql.DB, machine string) ([]Rate, error) {
	return all(ctx, db, "ask how fast "+machine+" was", func(rows *sql.Rows, r *Rate) error {
		return rows.Scan(&r.Format, &r.Loader, &r.BenchmarkType, &r.BytesPerS, &r.DecodeBytesPerS)
	}, ratesSQL, sql.Named("machine", machine))
}
