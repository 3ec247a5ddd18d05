package warehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// openOlder opens a file of an older schema for questions without changing it: as
// with a folder of Parquet, a database in memory with the schema of this program,
// in which each table is a view over the file's. Columns that the file has not are
// NULL, tables that it has not are empty, and what it has besides keeps its name.
func openOlder(ctx context.Context, path, older string) (_ *DB, err error) {
	d, err := inMemory(ctx)
	if err != nil {
		return nil, err
	}
	d.older = older
	if err := d.showStored(ctx, path); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *DB) showStored(ctx context.Context, path string) error {
	if _, err := d.db.ExecContext(ctx, "ATTACH "+quote(path)+" AS stored (TYPE duckdb, READ_ONLY)"); err != nil {
		return err
	}
	stored, err := shapesOf(ctx, d.db, "stored")
	if err != nil {
		return err
	}
	if d.shapes, err = shapesOf(ctx, d.db, "memory"); err != nil {
		return err
	}
	selects := map[string]string{}
	for table, there := range stored {
		if len(there.columns) == 0 {
			continue
		}
		list, err := d.shapes[table].selectFrom(there.columns)
		if err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		selects[table] = "SELECT " + list + " FROM stored.main." + quoteName(table)
	}
	if err := d.putViews(ctx, selects); err != nil {
		return err
	}
	return d.showOthers(ctx)
}

// showOthers gives what people made in the file their names.
func (d *DB) showOthers(ctx context.Context) error {
	var own, others []string
	const list = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' AND table_catalog = "
	for database, names := range map[string]*[]string{"memory": &own, "stored": &others} {
		err := each(ctx, d.db, list+quote(database), func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			*names = append(*names, name)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, name := range others {
		if slices.Contains(own, name) {
			continue
		}
		if _, err := d.db.ExecContext(ctx, fmt.Sprintf("CREATE VIEW %[1]s AS FROM stored.main.%[1]s", quoteName(name))); err != nil {
			return fmt.Errorf("show %s: %w", name, err)
		}
	}
	return nil
}
