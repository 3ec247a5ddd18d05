package warehouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// openDataset opens a folder of Parquet for questions: a database in memory
// with the schema of this program, in which each table that has files is a view
// over them. Columns that older files have not are NULL.
func openDataset(ctx context.Context, path string, o Options) (_ *DB, err error) {
	if !o.ReadOnly {
		return nil, fmt.Errorf("open warehouse %s: SQL can't change a folder of Parquet: import it into a .duckdb file first", path)
	}
	dir, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open warehouse %s: %w", path, err)
	}
	s := dataset{dir}
	files, err := s.files()
	switch {
	case err != nil:
		return nil, fmt.Errorf("open warehouse %s: %w", path, err)
	case len(files) == 0:
		return nil, &missingError{path}
	}
	d, err := inMemory(ctx)
	if err == nil {
		err = s.createViews(ctx, d, files)
		if err == nil && o.Safe {
			err = d.confine(ctx, "["+quote(dir+"/")+"]")
		}
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open warehouse %s: %w", path, &oneLine{err})
	}
	return d, nil
}

// inMemory is an empty warehouse that is gone when it is closed. It has no
// comments.
func inMemory(ctx context.Context) (*DB, error) {
	d, err := connect("", Options{})
	if err != nil {
		return nil, err
	}
	// Where there is no file, what does not fit into memory would go into the
	// folder in which somebody happens to be.
	spill := filepath.Join(os.TempDir(), fmt.Sprintf("sllmq-%d", os.Getpid()))
	_, err = d.db.ExecContext(ctx, "SET GLOBAL temp_directory = "+quote(spill))
	if err == nil {
		err = d.migrateBare(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// createViews puts a view over its files in each table's place, comments and
// all.
func (s dataset) createViews(ctx context.Context, d *DB, files map[string][]string) error {
	shapes, err := shapesOf(ctx, d.db, "memory")
	if err != nil {
		return err
	}
	d.shapes = shapes
	version, err := d.schemaVersion(ctx)
	if err != nil {
		return err
	}
	selects := map[string]string{}
	for _, shape := range shapes {
		if len(files[shape.table]) == 0 {
			continue
		}
		if selects[shape.table], err = s.table(ctx, d.db, shape, files[shape.table], version); err != nil {
			return err
		}
	}
	return d.putViews(ctx, selects)
}

// putViews puts views in the place of tables of an empty schema, each with its
// select, and adds the comments.
func (d *DB) putViews(ctx context.Context, selects map[string]string) error {
	var script strings.Builder
	for table, statement := range selects {
		fmt.Fprintf(&script, "DROP TABLE %[1]s; CREATE VIEW %[1]s AS %[2]s;\n", table, statement)
	}
	comments, err := schemaComments(func(table string) bool { return selects[table] != "" })
	if err != nil {
		return err
	}
	_, err = d.db.ExecContext(ctx, "BEGIN TRANSACTION;\n"+script.String()+comments+"COMMIT;")
	return err
}
