package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
)

// RunsSQL lists the runs, the newest first.
//
//go:embed sql/runs.sql
var RunsSQL string

// FindRun is the id of the one run that begins with prefix.
func FindRun(ctx context.Context, db *sql.DB, prefix string) (string, error) {
	var id string
	var n int
	err := db.QueryRowContext(ctx, "SELECT coalesce(min(run_id::VARCHAR), ''), count(*) FROM runs WHERE starts_with(run_id::VARCHAR, lower(?))", prefix).Scan(&id, &n)
	switch {
	case err != nil:
		return "", fmt.Errorf("find run %s: %w", prefix, err)
	case n == 0:
		return "", fmt.Errorf("no run begins with %q: sllmq runs lists them", prefix)
	case n > 1:
		return "", fmt.Errorf("%d runs begin with %q: write more of the id", n, prefix)
	}
	return id, nil
}
