package queries

import (
	"context"
	"database/sql"
	_ "embed"
)

//go:embed sql/rates.sql
var ratesSQL string

// Rate is how fast loads of one kind were on a machine, over all models.
type Rate struct {
	Format          string   `db:"format"`
	Loader          string   `db:"loader"`
	BenchmarkType   string   `db:"benchmark_type"`
	BytesPerS       float64  `db:"bytes_per_s"`        // median
	DecodeBytesPerS *float64 `db:"decode_bytes_per_s"` // weights read while text was generated; nil: none was
}

// Rates answers sql/rates.sql for the machine of a name.
func Rates(ctx context.Context, db *sql.DB, machine string) ([]Rate, error) {
	return all[Rate](ctx, db, "read the rates of "+machine, ratesSQL, sql.Named("machine", machine))
}
