package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"time"

	"github.com/sllmq/sllmq/warehouse/record"
)

//go:embed sql/machines.sql
var machinesSQL string

// Machine is a machine that measured some of the chosen loads.
type Machine struct {
	record.Machine
	Loads         int64   `db:"loads"`          // chosen, of all kinds
	SllmqVersions *string `db:"sllmq_versions"` // that measured them

	// The highest bandwidths of its rooflines; nil: not measured.
	StorageBytesPerS *float64 `db:"storage_bytes_per_s"`
	CopyBytesPerS    *float64 `db:"copy_bytes_per_s"`
	DeviceBytesPerS  *float64 `db:"device_bytes_per_s"`
}

// Machines answers sql/machines.sql for the loads that f chooses.
func Machines(ctx context.Context, db *sql.DB, f Filter) ([]Machine, error) {
	return narrowed[Machine](ctx, db, "list machines", machinesSQL, f)
}

//go:embed sql/failures.sql
var failuresSQL string

// Failure is a failed load.
type Failure struct {
	StartedAt time.Time `db:"started_at"`
	record.Arm
	RunID   string `db:"run_id"`
	Seq     int64  `db:"seq"`
	Replica int64  `db:"replica"`
	Error   string `db:"error"`
}

// Failures answers sql/failures.sql for the loads that f chooses.
func Failures(ctx context.Context, db *sql.DB, f Filter) ([]Failure, error) {
	return narrowed[Failure](ctx, db, "list failures", failuresSQL, f)
}
