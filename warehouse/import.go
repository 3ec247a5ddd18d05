package warehouse

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sllmq/sllmq/warehouse/record"
)

// ImportOptions say what a file of results does not.
type ImportOptions struct {
	Machine string            // where it was measured; empty: "unknown"
	Tags    map[string]string // for every run
	At      time.Time         // when it was measured; zero: the file's own time
}

func (o ImportOptions) machine() string { return cmp.Or(o.Machine, "unknown") }

// Kinds of what is imported.
const (
	KindWarehouse = "warehouse"
	KindResults   = "results" // of the reference benchmark
	KindFio       = "fio"
)

// Imported is what became of one file or folder.
type Imported struct {
	File, Kind                           string
	RunID, Model, Format, BenchmarkType  string // of results
	Loads, Rooflines, OtherRows, RunEnds int64  // that were added, and runs that had ended since
}

// Already says that all of it was there before, and nothing changed.
func (i Imported) Already() bool { return i.Loads+i.Rooflines+i.OtherRows+i.RunEnds == 0 }

// maxImport bounds a file of results, in bytes.
const maxImport = 256 << 20

// Import adds to the warehouse at path: other warehouses, files or folders of
// Parquet, the reference benchmark's raw results, and fio's JSON as rooflines.
// Each is added whole or not at all; what is there already is left as it is;
// one that can't be read does not keep the others out. The errors of all are
// returned together.
func Import(ctx context.Context, path string, files []string, o ImportOptions, options Options) ([]Imported, error) {
	log := NewLog(path, options)
	var all []Imported
	var errs []error
	for _, file := range files {
		done, err := log.importOne(ctx, file, o)
		if err != nil {
			errs = append(errs, fmt.Errorf("import %s: %w", file, err))
			continue
		}
		done.File = file
		all = append(all, done)
	}
	return all, errors.Join(errs...)
}

func (l *Log) importOne(ctx context.Context, file string, o ImportOptions) (Imported, error) {
	if isDataset(file) {
		done, err := l.importWarehouse(ctx, file)
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("the folder holds no data set")
		}
		return done, err
	}
	f, err := os.Open(file)
	if err != nil {
		return Imported{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Imported{}, err
	}
	// DuckDB's magic bytes stand behind a checksum.
	head := make([]byte, 12)
	if n, _ := f.ReadAt(head, 0); bytes.HasSuffix(head[:n], []byte("DUCK")) {
		return l.importWarehouse(ctx, file)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxImport+1))
	if err == nil && len(text) > maxImport {
		err = fmt.Errorf("it is longer than %d bytes", maxImport)
	}
	if err != nil {
		return Imported{}, err
	}
	if o.At.IsZero() {
		o.At = info.ModTime()
	}
	if isFio(text) {
		return l.importFio(ctx, text, o)
	}
	return l.importResults(ctx, filepath.Base(file), text, o)
}

// importResults adds a file of the reference benchmark.
func (l *Log) importResults(ctx context.Context, name string, text []byte, o ImportOptions) (Imported, error) {
	r, err := parseResults(name, text)
	if err != nil {
		return Imported{}, err
	}
	b := r.batch(name, sha256.Sum256(text), o)
	done := Imported{Kind: KindResults, RunID: b.Runs[0].ID, Model: r.model, Format: r.format, BenchmarkType: r.benchmarkType}
	there, err := l.has(ctx, "runs WHERE run_id = ?::UUID", done.RunID)
	if err != nil || there {
		return done, err
	}
	done.Loads = int64(len(b.Loads))
	return done, l.Append(ctx, b)
}

// importFio adds what fio measured as rooflines of a machine: of the one of
// that name that was seen last, if there is one.
func (l *Log) importFio(ctx context.Context, text []byte, o ImportOptions) (Imported, error) {
	rooflines, err := parseFio(text, o)
	if err != nil {
		return Imported{}, err
	}
	machine := record.Machine{ID: "import:" + o.machine(), Machine: o.machine(), FirstSeenAt: time.Now()}
	done := Imported{Kind: KindFio}
	var b record.Batch
	err = l.read(ctx, func(d *DB) error {
		const newest = "SELECT coalesce(arg_max(machine_id, first_seen_at), ?) FROM machines WHERE machine = ? AND machine_id NOT LIKE 'import:%'"
		if err := d.db.QueryRowContext(ctx, newest, machine.ID, machine.Machine).Scan(&machine.ID); err != nil {
			return fmt.Errorf("look for the machine: %w", err)
		}
		return nil
	})
	for _, r := range rooflines {
		there := false
		if err == nil {
			there, err = l.has(ctx, "rooflines WHERE roofline_id = ?::UUID", r.ID)
		}
		if !there {
			r.MachineID = machine.ID
			b.Rooflines = append(b.Rooflines, r)
		}
	}
	if err != nil || len(b.Rooflines) == 0 {
		return done, err
	}
	b.Machines = []record.Machine{machine} // left as it is if it is there
	done.Rooflines = int64(len(b.Rooflines))
	return done, l.Append(ctx, b)
}

// has says whether the warehouse has a row; from is what follows FROM.
func (l *Log) has(ctx context.Context, from string, arguments ...any) (there bool, err error) {
	err = l.read(ctx, func(d *DB) error {
		return d.db.QueryRowContext(ctx, "SELECT count(*) > 0 FROM "+from, arguments...).Scan(&there)
	})
	if err != nil {
		err = fmt.Errorf("look for what is there: %w", err)
	}
	return there, err
}
