package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/sllmq/sllmq/internal/scratch"
	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/record"
	"github.com/sllmq/sllmq/warehouse/schema"
)

// Merge adds the missing rows in one transaction.
func (f *file) Merge(ctx context.Context, from schema.Source) (added []schema.Added, err error) {
	// A process that was killed between linking the file and removing the folder
	// in which it was made has left that.
	if err := scratch.Sweep(filepath.Dir(f.path), f.parts()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	db, err := f.Open(ctx, Access{Write: true})
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, db.Close())
		if database.IsFull(err) {
			err = database.Full("merge into warehouse "+f.path, err)
		}
	}()
	shapes, err := schema.Shapes(ctx, db.SQL(), schema.Current)
	if err != nil {
		return nil, err
	}
	selects, err := from.Attach(ctx, db.SQL(), shapes, f.options.Warning)
	if err != nil {
		return nil, err
	}
	if err := selects.Unique(ctx, db.SQL(), shapes); err != nil {
		return nil, err
	}
	// Threads write rows as they come; tables have no order.
	if _, err := db.SQL().ExecContext(ctx, "SET GLOBAL preserve_insertion_order = false"); err != nil {
		return nil, err
	}
	tx, err := db.SQL().BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	for _, table := range schema.Names() {
		rows, ok := selects[table]
		if !ok {
			continue
		}
		a, err := mergeTable(ctx, tx, shapes[table], rows)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table, database.OneLine(err))
		}
		added = append(added, a)
	}
	if err := tx.Commit(); err != nil {
		return nil, database.OneLine(err)
	}
	return added, nil
}

// mergeTable adds the rows whose key the table lacks.
func mergeTable(ctx context.Context, tx *sql.Tx, s schema.Shape, rows string) (a schema.Added, err error) {
	a.Table = s.Table
	if s.Table == "runs" {
		// Rows are never rewritten, except a run's, which receives its end status.
		a.Ended, err = database.Exec(ctx, tx, "UPDATE runs SET ended_at = s.ended_at, status = s.status, error = s.error FROM ("+rows+") s WHERE runs.run_id = s.run_id AND runs.ended_at IS NULL AND s.ended_at IS NOT NULL")
		if err != nil {
			return a, err
		}
	}
	a.Rows, err = database.Exec(ctx, tx, fmt.Sprintf("INSERT INTO %s BY NAME SELECT s.* FROM (%s) s ANTI JOIN %s t ON %s", s.Table, rows, s.Table, s.SameKey("s", "t")))
	return a, err
}

// batchSource is rows in memory as a source of Merge.
type batchSource struct{ batch record.Batch }

// Attach puts the rows into a database in memory.
func (b batchSource) Attach(ctx context.Context, db *sql.DB, shapes map[string]schema.Shape, warn func(string)) (schema.Selects, error) {
	const name = "batch"
	if _, err := db.ExecContext(ctx, "ATTACH ':memory:' AS "+name); err != nil {
		return nil, err
	}
	for _, t := range schema.Names() {
		if _, err := db.ExecContext(ctx, fmt.Sprintf("CREATE TABLE %s.main.%s AS FROM main.%[2]s LIMIT 0", name, t)); err != nil {
			return nil, err
		}
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := database.Insert(conn, name, b.batch); err != nil {
		return nil, err
	}
	return schema.SelectStored(ctx, db, name, shapes, warn)
}
