// Package lake is the Parquet face of a warehouse: a folder that is read,
// appended to and merged into like a DuckDB file, and the export that writes it.
//
// A data set is DIR/TABLE/*.parquet, or DIR/TABLE/KEY=VALUE/*.parquet if it is
// partitioned. Files are immutable: each is written beside the data set, synced, and
// renamed into place, or in the place of its predecessor. Names that begin with a
// dot or an underscore are not data, to Spark and pyarrow as to this package.
package lake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/record"
	"github.com/sllmq/sllmq/warehouse/schema"
)

// Is reports whether a warehouse of this name is a folder: one that exists, or
// one to be made, which a slash at the end says.
func Is(path string) bool {
	if strings.HasSuffix(path, string(filepath.Separator)) {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Folder is a warehouse in a folder of Parquet. It is safe for concurrent use.
type Folder struct {
	dataset
	options database.Options

	mu      sync.Mutex // guards staging
	staging *staging   // kept between appends
}

// At returns the warehouse in a folder, which need not exist yet.
func At(dir string, o database.Options) *Folder {
	return &Folder{dataset: dataset{filepath.Clean(dir)}, options: o}
}

// Open opens the folder for queries: a database in memory with this program's
// schema, in which each table that has files is a view over them. Columns that
// older files lack are NULL. A folder without files is fs.ErrNotExist. SQL
// cannot write to it.
func (f *Folder) Open(ctx context.Context, a database.Access) (_ *database.DB, err error) {
	if a.Write {
		return nil, fmt.Errorf("open warehouse %s: SQL can't change a folder of Parquet: import it into a .duckdb file first", f.dir)
	}
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return nil, fmt.Errorf("open warehouse %s: %w", f.dir, err)
	}
	s := dataset{dir}
	files, err := s.files()
	switch {
	case err != nil:
		return nil, fmt.Errorf("open warehouse %s: %w", f.dir, err)
	case len(files) == 0:
		return nil, database.Missing(f.dir)
	}
	db, err := show(ctx, s, false, nil)
	if err == nil && a.Safe {
		if err = db.Confine(ctx, dir+"/"); err != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open warehouse %s: %w", f.dir, database.OneLine(err))
	}
	return db, nil
}

// show opens a database in memory with views over the rows of a source, as they
// are or one of each key.
func show(ctx context.Context, from schema.Source, unique bool, warn func(string)) (_ *database.DB, err error) {
	db, err := database.OpenMemory(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if err := schema.CreateBare(ctx, db.SQL()); err != nil {
		return nil, err
	}
	shapes, err := schema.Shapes(ctx, db.SQL(), schema.Current)
	if err != nil {
		return nil, err
	}
	selects, err := from.Attach(ctx, db.SQL(), shapes, warn)
	if err != nil {
		return nil, err
	}
	if unique {
		if err := selects.Unique(ctx, db.SQL(), shapes); err != nil {
			return nil, err
		}
	}
	return db, schema.Replace(ctx, db.SQL(), selects)
}

// Append adds all rows of the batch. A table gets all of its rows or none, and
// loads come last: a load that is there has everything that belongs to it.
func (f *Folder) Append(ctx context.Context, b record.Batch) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.create(); err != nil {
		return err
	}
	unlock, err := f.lock(ctx, f.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := f.append(ctx, b); err != nil {
		return fmt.Errorf("append to %s: %w", f.dir, err)
	}
	return nil
}

// Merge adds the rows of another warehouse whose keys are missing, and ends
// runs that have ended there.
func (f *Folder) Merge(ctx context.Context, from schema.Source) (added []schema.Added, err error) {
	db, err := show(ctx, from, true, f.options.Warning)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return Export(ctx, db, f.dir, ExportOptions{Append: true}, f.options)
}
