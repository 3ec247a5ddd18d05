package warehouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/intake"
	"github.com/sllmq/sllmq/warehouse/lake"
	"github.com/sllmq/sllmq/warehouse/record"
	"github.com/sllmq/sllmq/warehouse/schema"
)

// Imported is the outcome for one file or folder.
type Imported struct {
	File                        string
	Kind                        intake.Kind // "" for a warehouse
	Run                         *record.Run // of ServerlessLLM's results
	Loads, Rooflines, OtherRows int64       // rows added; OtherRows of warehouses only
	RunEnds                     int64       // runs ended
}

// Nothing reports whether all of it was there already.
func (i Imported) Nothing() bool { return i.Loads+i.Rooflines+i.OtherRows+i.RunEnds == 0 }

// maxImport bounds a file of results, in bytes.
const maxImport = 256 << 20

// Import adds files to the warehouse at path: other warehouses, files or folders
// of Parquet; raw results of ServerlessLLM's benchmark; and fio's JSON, as rooflines.
// Each is added whole or not at all. Rows whose keys exist are left as they are. If a
// file cannot be read the others still are, and the errors are returned together.
func Import(ctx context.Context, path string, files []string, o intake.Options, options Options) ([]Imported, error) {
	to := importer{path, At(path, options), o, options}
	var all []Imported
	var errs []error
	for _, name := range files {
		done, err := to.add(ctx, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("import %s: %w", name, err))
			continue
		}
		all = append(all, done)
	}
	return all, errors.Join(errs...)
}

type importer struct {
	path    string
	store   Store
	intake  intake.Options
	options Options
}

func (to importer) add(ctx context.Context, name string) (Imported, error) {
	done := Imported{File: name}
	from, err := to.source(ctx, name, &done)
	if err != nil {
		return done, err
	}
	added, err := to.store.Merge(ctx, from)
	for _, a := range added {
		switch {
		case a.Table == "loads":
			done.Loads = a.Rows
		case a.Table == "rooflines":
			done.Rooflines = a.Rows
		case done.Kind == "":
			done.OtherRows += a.Rows
		}
		done.RunEnds += a.Ended
	}
	return done, err
}

// source opens a file or folder as a source of rows, and notes what it is.
func (to importer) source(ctx context.Context, name string, done *Imported) (schema.Source, error) {
	if lake.Is(name) {
		return to.warehouse(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// DuckDB's magic bytes follow a checksum.
	head := make([]byte, 12)
	if n, _ := f.ReadAt(head, 0); bytes.HasSuffix(head[:n], []byte("DUCK")) {
		return to.warehouse(name)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxImport+1))
	if err == nil && len(text) > maxImport {
		err = fmt.Errorf("it is longer than %d bytes", maxImport)
	}
	if err != nil {
		return nil, err
	}
	o := to.intake
	if o.At.IsZero() {
		o.At = info.ModTime()
	}
	b, kind, err := intake.Read(filepath.Base(name), text, o)
	if err != nil {
		return nil, err
	}
	done.Kind = kind
	if len(b.Runs) > 0 {
		done.Run = &b.Runs[0]
	}
	if kind == intake.Fio {
		err = to.findMachine(ctx, &b)
	}
	return batchSource{b}, err
}

func (to importer) warehouse(name string) (schema.Source, error) {
	if isSame(name, to.path) {
		return nil, errors.New("it is the warehouse itself")
	}
	return At(name, to.options), nil
}

// findMachine gives rooflines to the machine of the same name that was seen
// last, if there is one.
func (to importer) findMachine(ctx context.Context, b *record.Batch) error {
	err := read(ctx, to.store, func(db *DB) error {
		const newest = "SELECT coalesce(arg_max(machine_id, first_seen_at), ?) FROM machines WHERE machine = ? AND machine_id NOT LIKE ?"
		m := b.Machines[0]
		if err := db.SQL().QueryRowContext(ctx, newest, m.ID, m.Machine, intake.IDPrefix+"%").Scan(&m.ID); err != nil {
			return fmt.Errorf("look for the machine: %w", database.OneLine(err))
		}
		for i := range b.Rooflines {
			b.Rooflines[i].MachineID = m.ID
		}
		if m.ID != b.Machines[0].ID {
			b.Machines = nil
		}
		return nil
	})
	return err
}

// read queries a warehouse if there is one.
func read(ctx context.Context, store Store, query func(*DB) error) error {
	db, err := store.Open(ctx, Access{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(query(db), db.Close())
}

func isSame(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
