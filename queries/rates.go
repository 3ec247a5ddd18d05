package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
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
	rows, err := db.QueryContext(ctx, ratesSQL, sql.Named("machine", machine))
	if err != nil {
		return nil, fmt.Errorf("ask how fast %s was: %w", machine, err)
	}
	defer rows.Close()
	var all []Rate
	for rows.Next() {
		var r Rate
		if err := rows.Scan(&r.Format, &r.Loader, &r.BenchmarkType, &r.BytesPerS, &r.DecodeBytesPerS); err != nil {
			return nil, fmt.Errorf("ask how fast %s was: %w", machine, err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ask how fast %s was: %w", machine, err)
	}
	return all, nil
}
