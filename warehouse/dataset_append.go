package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse/record"
)

// A run's rows lie in files of their own, one a table, named by the run. An
// append reads them into a database in memory, adds to them as it would to a
// warehouse file, and puts new files in their place: a reader finds the one or
// the other, whole, and a kill leaves the old.

// maxPartBytes is when a run's next file of a table begins, so that an append
// never has more than that to write anew.
const maxPartBytes = 32 << 20

// folder is a data set that one process appends to.
type folder struct {
	dataset
	staging *DB // empty between appends; made by the first one
	version int // of its schema
	shapes  map[string]shape
}

// grown is a file that an append makes or takes the place of, and which of the
// rows in memory are its.
type grown struct {
	table, name string // its name under the folder
	rows        string // SQL's condition
	temp        string // where its successor is written
}

func (f *folder) append(ctx context.Context, o Options, b record.Batch) (err error) {
	if err := f.make(); err != nil {
		return err
	}
	unlock, err := f.lock(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := f.stage(ctx); err != nil {
		return fmt.Errorf("append to %s: %w", f.dir, err)
	}
	temp, err := os.MkdirTemp(f.dir, partsPrefix+"*")
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	all, err := f.write(ctx, b, temp)
	if err != nil {
		return fmt.Errorf("append to %s: %w", f.dir, err)
	}
	// A load comes last, when all that belongs to it is there.
	for _, table := range placingOrder() {
		for _, g := range all {
			if g.table == table {
				if err := place(g.temp, filepath.Join(f.dir, g.name)); err != nil {
					return fmt.Errorf("append to %s: %w", f.dir, err)
				}
			}
		}
	}
	return nil
}

// make makes the folder, if only it is missing or empty: what is not there yet
// is not put among a person's other files.
func (f *folder) make() error {
	err := os.Mkdir(f.dir, 0o755)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return explain(f.dir, err)
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return explain(f.dir, err)
	}
	if len(entries) > 0 && !slices.ContainsFunc(entries, isOurs) {
		return fmt.Errorf("warehouse %s is a folder that holds other things: name an empty one, or a .duckdb file", f.dir)
	}
	return nil
}

func (f *folder) stage(ctx context.Context) (err error) {
	if f.staging != nil {
		return nil
	}
	d, err := inMemory(ctx)
	if err != nil {
		return err
	}
	f.version, err = d.schemaVersion(ctx)
	if err == nil {
		f.shapes, err = shapesOf(ctx, d.db, "memory")
	}
	if err != nil {
		return errors.Join(err, d.Close())
	}
	f.staging = d
	return nil
}

// write writes the files that the batch adds to or makes into temp.
func (f *folder) write(ctx context.Context, b record.Batch, temp string) (all []grown, err error) {
	files, err := f.files()
	if err != nil {
		return nil, err
	}
	conn, err := f.staging.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN TRANSACTION"); err != nil {
		return nil, err
	}
	// What is in memory goes again, however this ends.
	defer func() {
		_, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, rollback)
	}()
	all, err = f.touched(ctx, conn, b, files)
	if err != nil {
		return nil, err
	}
	for _, g := range all {
		if slices.Contains(files[g.table], g.name) {
			if err := f.fetch(ctx, conn, g); err != nil {
				return nil, err
			}
		}
	}
	if err := write(ctx, conn, b); err != nil {
		return nil, err
	}
	for i, g := range all {
		all[i].temp = filepath.Join(temp, strconv.Itoa(i)+parquet)
		query := "SELECT " + f.shapes[g.table].portable("t") + " FROM " + g.table + " t WHERE " + g.rows
		if _, err := copyParquet(ctx, conn, query, all[i].temp, f.version); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// fetch brings a file's rows into memory.
func (f *folder) fetch(ctx context.Context, conn *sql.Conn, g grown) error {
	table, err := f.table(ctx, conn, f.shapes[g.table], []string{g.name}, f.version)
	if err == nil {
		_, err = conn.ExecContext(ctx, "INSERT INTO "+g.table+" BY NAME "+table)
	}
	return err
}

// touched lists the files that the batch adds rows to or changes rows in.
func (f *folder) touched(ctx context.Context, conn *sql.Conn, b record.Batch, files map[string][]string) ([]grown, error) {
	var all []grown
	add := func(table, owner, column, dir string) {
		name := f.partName(files, table, owner, dir)
		if !slices.ContainsFunc(all, func(g grown) bool { return g.table == table && g.name == name }) {
			all = append(all, grown{table: table, name: name, rows: column + " = " + quote(owner)})
		}
	}
	for _, m := range b.Machines {
		holds, err := f.holder(ctx, conn, files["machines"], "machines", "machine_id", m.ID)
		if err != nil {
			return nil, err
		}
		if holds == "" {
			add("machines", m.ID, "machine_id", "")
			continue
		}
		// It is left as it is; in memory it has to be, to be seen.
		if err := f.fetch(ctx, conn, grown{table: "machines", name: holds}); err != nil {
			return nil, err
		}
	}
	homes := map[string]string{}
	for _, t := range rowsOf(b) {
		for _, row := range t.rows {
			owner, column := ownerOf(row)
			if t.table == "machines" {
				continue
			}
			dir := ""
			if partitioned(t.table) {
				if _, ok := homes[owner]; !ok {
					home, err := f.home(ctx, conn, b, files, owner)
					if err != nil {
						return nil, err
					}
					homes[owner] = home
				}
				dir = homes[owner]
			}
			add(t.table, owner, column, dir)
		}
	}
	for _, end := range b.RunEnds {
		holds, err := f.holder(ctx, conn, files["runs"], "runs", "run_id", end.RunID)
		if err != nil {
			return nil, err
		}
		if holds != "" && !slices.ContainsFunc(all, func(g grown) bool { return g.name == holds }) {
			// The file may hold other runs too, of an export.
			all = append(all, grown{table: "runs", name: holds, rows: fmt.Sprintf("run_id::VARCHAR IN (SELECT run_id::VARCHAR FROM %s)", f.read([]string{holds}))})
		}
	}
	return all, nil
}

// partName is the file that an owner's next rows of a table go to.
func (f *folder) partName(files map[string][]string, table, owner, dir string) string {
	id, err := uuid.Parse(owner)
	if err != nil {
		id = uuid.NewSHA1(importSpace, []byte(owner))
	}
	for {
		name := filepath.Join(table, dir, id.String()+parquet)
		info, err := os.Stat(filepath.Join(f.dir, name))
		if err != nil || info.Size() < maxPartBytes || !slices.Contains(files[table], name) {
			return name
		}
		id = uuid.NewSHA1(importSpace, id[:])
	}
}

// holder is the file that holds the row with this key; "" where none does.
func (f *folder) holder(ctx context.Context, conn *sql.Conn, files []string, table, column, key string) (name string, err error) {
	if len(files) == 0 {
		return "", nil
	}
	err = each(ctx, conn, fmt.Sprintf("SELECT filename FROM %s WHERE %s::VARCHAR = %s LIMIT 1", f.read(files, ", filename=true"), column, quote(key)),
		func(scan func(...any) error) error { return scan(&name) })
	if err == nil && name != "" {
		name, err = filepath.Rel(f.dir, name)
	}
	return name, err
}

// home is the folder of a run's files under a table's, by the partition keys of
// the data set.
func (f *folder) home(ctx context.Context, conn *sql.Conn, b record.Batch, files map[string][]string, run string) (string, error) {
	keys := partitionKeys(files)
	if len(keys) == 0 {
		return "", nil
	}
	i := slices.IndexFunc(b.Runs, func(r record.Run) bool { return r.ID == run })
	if i < 0 {
		holds, err := f.holder(ctx, conn, files["runs"], "runs", "run_id", run)
		if err != nil || holds == "" {
			return "", errors.Join(err, fmt.Errorf("there is no run %s", run))
		}
		return filepath.Rel("runs", filepath.Dir(holds))
	}
	machine := ""
	for _, m := range b.Machines {
		if m.ID == b.Runs[i].MachineID {
			machine = m.Machine
		}
	}
	if machine == "" && len(files["machines"]) > 0 {
		err := each(ctx, conn, fmt.Sprintf("SELECT machine FROM %s WHERE machine_id = %s LIMIT 1", f.read(files["machines"]), quote(b.Runs[i].MachineID)),
			func(scan func(...any) error) error { return scan(&machine) })
		if err != nil {
			return "", err
		}
	}
	return partitionDir(keys, b.Runs[i].StartedAt, machine)
}

// ownerOf is whose file a row lies in, and the column that says so: the run's
// or, without one, its own.
func ownerOf(row any) (owner, column string) {
	v := reflect.ValueOf(row)
	for i := range v.NumField() {
		field := reflect.Indirect(v.Field(i))
		if v.Type().Field(i).Tag.Get("db") == "run_id" && field.IsValid() {
			return field.String(), "run_id"
		}
	}
	return v.Field(0).String(), v.Type().Field(0).Tag.Get("db")
}

// placingOrder is the order in which tables' files come into place: loads last.
func placingOrder() []string {
	order := slices.DeleteFunc(tablesInOrder(), func(table string) bool { return table == "loads" })
	return append(order, "loads")
}

// partitionDir is the folder of a run's rows under a table's.
func partitionDir(keys []string, startedAt time.Time, machine string) (string, error) {
	dir := ""
	for _, key := range keys {
		value := ""
		switch key {
		case "month":
			value = startedAt.UTC().Format("2006-01")
		case "machine":
			value = machine
		default:
			return "", fmt.Errorf("the data set is laid out by %s, which is not month or machine", key)
		}
		dir = filepath.Join(dir, key+"="+escapeValue(value))
	}
	return dir, nil
}
