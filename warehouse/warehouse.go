// Package warehouse keeps measurements where SQL finds them: in a DuckDB file,
// or in a folder of Parquet. At chooses between them by the path; everything else
// goes through Store.
//
// Below it are the rows (record), the tables and their versions (schema), DuckDB
// itself (database), the folder of Parquet and the export (lake), and results of other
// programs (intake).
package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/lake"
	"github.com/sllmq/sllmq/warehouse/record"
	"github.com/sllmq/sllmq/warehouse/schema"
)

// Store is a warehouse of one kind. It is safe for concurrent use, and shares
// its place with other processes: it waits for them as its Options say.
type Store interface {
	// Open opens the warehouse for SQL. One that does not exist is
	// fs.ErrNotExist, unless access is to write.
	Open(ctx context.Context, a Access) (*DB, error)
	// Append adds the rows of a batch and ends its runs. It does not check keys:
	// the caller's are unique.
	Append(ctx context.Context, b record.Batch) error
	// Merge adds the rows of another warehouse whose keys are missing, all or
	// none, and ends runs that have ended there.
	Merge(ctx context.Context, from schema.Source) ([]schema.Added, error)
	// Attach makes the store itself a source of Merge.
	schema.Source
}

type (
	// DB is an open warehouse.
	DB = database.DB
	// Options are how a warehouse is shared with other processes.
	Options = database.Options
	// Access is what an open warehouse lets SQL do.
	Access = database.Access
)

// ErrFull reports that a warehouse could not grow.
var ErrFull = database.ErrFull

// At returns the warehouse at path, which need not exist yet: a folder of
// Parquet if there is one or the path ends with a slash, and otherwise a DuckDB
// file.
func At(path string, o Options) Store {
	if lake.Is(path) {
		return lake.At(path, o)
	}
	return &file{path: path, options: o}
}

var (
	_ Store = (*file)(nil)
	_ Store = (*lake.Folder)(nil)
)

// EndLost marks as lost the runs of one machine that are recorded as running
// although alive denies that their collector is, and returns how many. It fails if the
// warehouse cannot be appended to, also without such a run.
func EndLost(ctx context.Context, store Store, machineID string, alive func(pid int64, bootID string) bool) (int, error) {
	var b record.Batch
	err := read(ctx, store, func(db *DB) error {
		return database.Each(ctx, db.SQL(), fmt.Sprintf(`SELECT run_id::VARCHAR, pid, boot_id FROM runs
			WHERE status = %s AND machine_id = %s AND pid IS NOT NULL AND boot_id IS NOT NULL`, database.Quote(record.StatusRunning), database.Quote(machineID)),
			func(scan func(...any) error) error {
				var id, boot string
				var pid int64
				err := scan(&id, &pid, &boot)
				if err == nil && !alive(pid, boot) {
					b.RunEnds = append(b.RunEnds, record.RunEnd{RunID: id, EndedAt: time.Now().UTC(), Status: record.StatusLost, Error: new("the collector died")})
				}
				return err
			})
	})
	if err != nil {
		return 0, err
	}
	if err := store.Append(ctx, b); err != nil {
		return 0, err
	}
	return len(b.RunEnds), nil
}
