package lake

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

	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/record"
	"github.com/sllmq/sllmq/warehouse/schema"
)

// A run's rows lie in files of their own, one per table, named after the run. An
// append reads them into a database in memory, adds to them as to a warehouse file,
// and renames new files over them: a reader finds the old or the new file, whole, and
// a kill leaves the old one.

// maxPartBytes is the size at which a run's next file of a table begins. It
// bounds what an append has to write again.
const maxPartBytes = 32 << 20

// partSpace names files whose owner's ID is not a UUID (RFC 9562, version 5).
var partSpace = uuid.MustParse("6a1ee1f4-6d41-5c11-9a55-0d9fb0a0c3f7")

// staging is the database in memory that appends go through. It is empty
// between them.
type staging struct {
	db      *database.DB
	shapes  map[string]schema.Shape
	version int // of the schema
}

// part is a file that an append creates or replaces.
type part struct {
	table, name string // name is its path under the folder
	rows        string // condition for its rows in the staging database
	temp        string // where the new file is written
}

// create creates the folder. One that exists must be empty or a data set: rows
// do not go among a person's other files.
func (f *Folder) create() error {
	err := os.Mkdir(f.dir, 0o755)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return database.Explain(f.dir, err)
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return database.Explain(f.dir, err)
	}
	if len(entries) > 0 && !slices.ContainsFunc(entries, isOurs) {
		return fmt.Errorf("warehouse %s is a folder that holds other things: name an empty one, or a .duckdb file", f.dir)
	}
	return nil
}

func (f *Folder) append(ctx context.Context, b record.Batch) (err error) {
	if err := f.stage(ctx); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(f.dir, database.PartsPrefix+"*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	all, err := f.write(ctx, b, temp)
	if err != nil {
		return err
	}
	for _, table := range placingOrder() {
		for _, p := range all {
			if p.table == table {
				if err := place(p.temp, filepath.Join(f.dir, p.name)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// stage makes the staging database, once.
func (f *Folder) stage(ctx context.Context) error {
	if f.staging != nil {
		return nil
	}
	db, err := database.OpenMemory(ctx)
	if err != nil {
		return err
	}
	s := staging{db: db}
	err = schema.CreateBare(ctx, db.SQL())
	if err == nil {
		s.shapes, err = schema.Shapes(ctx, db.SQL(), schema.Current)
	}
	if err == nil {
		s.version, err = schema.Latest()
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	f.staging = &s
	return nil
}

// write writes the files that the batch creates or replaces into temp.
func (f *Folder) write(ctx context.Context, b record.Batch, temp string) (all []part, err error) {
	files, err := f.files()
	if err != nil {
		return nil, err
	}
	conn, err := f.staging.db.SQL().Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN TRANSACTION"); err != nil {
		return nil, err
	}
	// The staging database is empty again, however this ends.
	defer func() {
		_, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, rollback)
	}()
	all, err = f.touched(ctx, conn, b, files)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if slices.Contains(files[p.table], p.name) {
			if err := f.fetch(ctx, conn, p); err != nil {
				return nil, err
			}
		}
	}
	if err := database.Append(ctx, conn, b); err != nil {
		return nil, err
	}
	for i, p := range all {
		all[i].temp = filepath.Join(temp, strconv.Itoa(i)+parquet)
		query := "SELECT " + f.staging.shapes[p.table].Portable("t") + " FROM " + p.table + " t WHERE " + p.rows
		if _, err := copyParquet(ctx, conn, query, all[i].temp, f.staging.version); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// fetch reads a file's rows into the staging database.
func (f *Folder) fetch(ctx context.Context, conn *sql.Conn, p part) error {
	table, err := f.table(ctx, conn, f.staging.shapes[p.table], []string{p.name}, nil)
	if err == nil {
		_, err = conn.ExecContext(ctx, "INSERT INTO "+p.table+" BY NAME "+table)
	}
	return err
}

// touched lists the files in which the batch adds or changes rows.
func (f *Folder) touched(ctx context.Context, conn *sql.Conn, b record.Batch, files map[string][]string) ([]part, error) {
	var all []part
	add := func(table, owner, column, dir string) {
		name := f.partName(files, table, owner, dir)
		if !slices.ContainsFunc(all, func(p part) bool { return p.table == table && p.name == name }) {
			all = append(all, part{table: table, name: name, rows: column + " = " + database.Quote(owner)})
		}
	}
	for _, m := range b.Machines {
		holds, err := f.fileOf(ctx, conn, files["machines"], "machines", "machine_id", m.ID)
		if err != nil {
			return nil, err
		}
		if holds == "" {
			add("machines", m.ID, "machine_id", "")
			continue
		}
		// It is left as it is. Staged, it keeps the batch's own from being added.
		if err := f.fetch(ctx, conn, part{table: "machines", name: holds}); err != nil {
			return nil, err
		}
	}
	homes := map[string]string{}
	for _, t := range database.Rows(b) {
		for _, row := range t.Rows {
			owner, column := ownerOf(row)
			if t.Table == "machines" {
				continue
			}
			dir := ""
			if partitioned(t.Table) {
				if _, ok := homes[owner]; !ok {
					home, err := f.home(ctx, conn, b, files, owner)
					if err != nil {
						return nil, err
					}
					homes[owner] = home
				}
				dir = homes[owner]
			}
			add(t.Table, owner, column, dir)
		}
	}
	for _, end := range b.RunEnds {
		holds, err := f.fileOf(ctx, conn, files["runs"], "runs", "run_id", end.RunID)
		if err != nil {
			return nil, err
		}
		if holds != "" && !slices.ContainsFunc(all, func(p part) bool { return p.name == holds }) {
			// A file of an export may hold other runs too.
			all = append(all, part{table: "runs", name: holds, rows: fmt.Sprintf("run_id::VARCHAR IN (SELECT run_id::VARCHAR FROM %s)", f.read([]string{holds}))})
		}
	}
	return all, nil
}

// partName is the file for an owner's next rows of a table.
func (f *Folder) partName(files map[string][]string, table, owner, dir string) string {
	id, err := uuid.Parse(owner)
	if err != nil {
		id = uuid.NewSHA1(partSpace, []byte(owner))
	}
	for {
		name := filepath.Join(table, dir, id.String()+parquet)
		info, err := os.Stat(filepath.Join(f.dir, name))
		if err != nil || info.Size() < maxPartBytes || !slices.Contains(files[table], name) {
			return name
		}
		id = uuid.NewSHA1(partSpace, id[:])
	}
}

// fileOf is the file that has the row with this key; "" if none has.
func (f *Folder) fileOf(ctx context.Context, conn *sql.Conn, files []string, table, column, key string) (name string, err error) {
	if len(files) == 0 {
		return "", nil
	}
	err = database.Each(ctx, conn, fmt.Sprintf("SELECT filename FROM %s WHERE %s::VARCHAR = %s LIMIT 1", f.read(files, ", filename=true"), column, database.Quote(key)),
		func(scan func(...any) error) error { return scan(&name) })
	if err == nil && name != "" {
		name, err = filepath.Rel(f.dir, name)
	}
	return name, err
}

// home is the folder of a run's files under a table's folder, by the partition
// keys of the data set.
func (f *Folder) home(ctx context.Context, conn *sql.Conn, b record.Batch, files map[string][]string, run string) (string, error) {
	keys := partitionKeys(files)
	if len(keys) == 0 {
		return "", nil
	}
	i := slices.IndexFunc(b.Runs, func(r record.Run) bool { return r.ID == run })
	if i < 0 {
		holds, err := f.fileOf(ctx, conn, files["runs"], "runs", "run_id", run)
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
		err := database.Each(ctx, conn, fmt.Sprintf("SELECT machine FROM %s WHERE machine_id = %s LIMIT 1", f.read(files["machines"]), database.Quote(b.Runs[i].MachineID)),
			func(scan func(...any) error) error { return scan(&machine) })
		if err != nil {
			return "", err
		}
	}
	return partitionDir(keys, b.Runs[i].StartedAt, machine)
}

// ownerOf is the ID that names a row's file, and the column it stands in: the
// run's or, without a run, the row's own.
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

// placingOrder is the order in which tables' files are renamed into place: loads last.
func placingOrder() []string {
	order := slices.DeleteFunc(schema.Names(), func(table string) bool { return table == "loads" })
	return append(order, "loads")
}

// partitionDir is the folder of a run's rows under a table's folder.
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
			return "", fmt.Errorf("the data set is partitioned by %s, which is not month or machine", key)
		}
		dir = filepath.Join(dir, key+"="+escapeValue(value))
	}
	return dir, nil
}
