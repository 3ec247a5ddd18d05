package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// ExportOptions say what of a warehouse is written, and how.
type ExportOptions struct {
	Tables      []string // empty: all
	Where       string   // SQL's condition on the columns of load_facts; empty: everything
	PartitionBy []string // of month (in which the run began, UTC) and machine
	Format      string   // parquet, which the empty string means too, or csv
	Append      bool     // to the data set that is there, what it lacks
	Overwrite   bool     // what is there
}

// ExportTables are the tables that can be exported.
func ExportTables() []string { return tablesInOrder() }

// ExportFormats and ExportPartitions are what else can be chosen.
func ExportFormats() []string    { return []string{"parquet", "csv"} }
func ExportPartitions() []string { return []string{"month", "machine"} }

// Check finds choices that there are not, and fills in those that were left open.
func (o *ExportOptions) Check() error {
	if o.Format == "" {
		o.Format = "parquet"
	}
	if len(o.Tables) == 0 {
		o.Tables = tablesInOrder()
	}
	for _, choice := range []struct {
		what        string
		asked, have []string
	}{
		{"table", o.Tables, ExportTables()}, {"format", []string{o.Format}, ExportFormats()}, {"partition", o.PartitionBy, ExportPartitions()},
	} {
		for i, name := range choice.asked {
			if !slices.Contains(choice.have, name) || slices.Contains(choice.asked[:i], name) {
				return fmt.Errorf("no %s %q, or twice: use %s", choice.what, name, strings.Join(choice.have, ", "))
			}
		}
	}
	if o.Append && (o.Overwrite || o.Format != "parquet") {
		return errors.New("what is appended is Parquet, and overwrites nothing")
	}
	return nil
}

// ErrDataset says that a folder that was to be new holds a data set.
var ErrDataset = errors.New("it holds a data set already")

// Exported is what was written of one table.
type Exported struct {
	Table string
	Rows  int64
	Ended int64 // runs that went on in the data set that is appended to, and have ended
}

// Export writes tables, as of one moment, as a data set into dir: files
// dir/TABLE/*.parquet, or dir/TABLE/month=2026-11/machine=NAME/*.parquet, each
// with the version of the schema in its metadata as sllmq_schema.
//
// A new data set is there at once and whole, or not at all. One that is appended
// to has a row never twice: only rows whose keys it lacks are added, and runs
// that have ended since are ended there. Each file is renamed in when it is
// whole and on the disk, those of loads last. A table that is overwritten goes
// from the old to the new in one step; whoever was reading the old one may have
// to read again. After a kill at any moment the same export completes it.
func Export(ctx context.Context, db *DB, dir string, o ExportOptions, wait Options) (done []Exported, err error) {
	e := export{ExportOptions: o, db: db, to: dataset{dir}}
	if err := e.Check(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
	case len(entries) == 0:
		done, err = e.fresh(ctx)
	case !slices.ContainsFunc(entries, isOurs):
		err = errors.New("the folder holds other things: name one that is new or empty")
	case !o.Append && !o.Overwrite:
		err = ErrDataset
	default:
		done, err = e.into(ctx, wait)
	}
	if err != nil {
		return nil, fmt.Errorf("export to %s: %w", dir, err)
	}
	return done, nil
}

func isOurs(e os.DirEntry) bool {
	return e.Name() == lockName || slices.Contains(tablesInOrder(), e.Name())
}

// export is an export under way.
type export struct {
	ExportOptions
	db      *DB
	to      dataset
	shapes  map[string]shape
	version int // of the schema that is exported
	known   int // of the schema that this program makes
	written *writeBack
}

// write writes the tables into temp/TABLE/, all as of one moment, and returns when
// they are on the disk. there are the files of the data set that is appended to.
func (e *export) write(ctx context.Context, temp string, there map[string][]string) (done []Exported, err error) {
	e.written = newWriteBack(temp)
	defer func() { err = errors.Join(err, e.written.wait()) }()
	if e.shapes, e.version, err = e.db.schema(ctx); err != nil {
		return nil, err
	}
	if e.known, err = knownVersion(); err != nil {
		return nil, err
	}
	// Row groups are written as threads come to them. To write them in the order
	// of the table costs a sixth more, and a data set promises none.
	if _, err := e.db.db.ExecContext(ctx, "SET GLOBAL preserve_insertion_order = false"); err != nil {
		return nil, err
	}
	defer func() {
		_, resetErr := e.db.db.ExecContext(context.WithoutCancel(ctx), "RESET GLOBAL preserve_insertion_order")
		err = errors.Join(err, resetErr)
	}()
	tx, err := e.db.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // only temporary tables were made
	if err := e.choose(ctx, tx); err != nil {
		return nil, err
	}
	for _, table := range tablesInOrder() {
		if !slices.Contains(e.Tables, table) {
			continue
		}
		n, err := e.writeTable(ctx, tx, e.shapes[table], filepath.Join(temp, table), there[table])
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table, err)
		}
		done = append(done, Exported{Table: table, Rows: n})
	}
	if i := slices.IndexFunc(done, func(d Exported) bool { return d.Table == "runs" }); i >= 0 && len(there["runs"]) > 0 {
		done[i].Ended, err = e.endRuns(ctx, tx, there["runs"], temp)
	}
	return done, err
}

// brief leaves out of DuckDB's words the statement, which is ours in part.
func brief(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n\nLINE ")
	return errors.New(strings.Join(strings.Fields(text), " "))
}

// choose makes temporary tables of the loads that are exported, and of the
// partition that each run is in.
func (e *export) choose(ctx context.Context, tx *sql.Tx) error {
	if e.Where != "" {
		// In brackets that a comment can't close.
		if _, err := tx.ExecContext(ctx, "CREATE TEMP TABLE chosen AS SELECT run_id, seq, machine_id FROM load_facts WHERE (\n"+e.Where+"\n)"); err != nil {
			return fmt.Errorf("choose loads: %w", brief(err))
		}
	}
	if len(e.PartitionBy) > 0 {
		const partitions = `CREATE TEMP TABLE partitions AS SELECT r.run_id, strftime(r.started_at, '%Y-%m') AS month, nullif(m.machine, '') AS machine
			FROM runs r LEFT JOIN machines m USING (machine_id)`
		if _, err := tx.ExecContext(ctx, partitions); err != nil {
			return fmt.Errorf("tell partitions: %w", &oneLine{err})
		}
	}
	return nil
}

// writeTable writes the chosen rows of a table that are not there.
func (e *export) writeTable(ctx context.Context, tx *sql.Tx, s shape, dir string, there []string) (int64, error) {
	from := s.table + " t"
	if len(there) > 0 {
		keys := s
		keys.columns = slices.DeleteFunc(slices.Clone(s.columns), func(c column) bool { return !slices.Contains(s.key, c.name) })
		known, err := e.to.table(ctx, tx, keys, there, e.known)
		if err != nil {
			return 0, err
		}
		from += " ANTI JOIN (" + known + ") there ON " + s.sameKey("t", "there")
	}
	if e.Where != "" {
		from += " WHERE " + chosenRows(s)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, err
	}
	columns := s.portable("t")
	options, path := parquetOptions(e.version), filepath.Join(dir, newName()+parquet)
	if e.Format == "csv" {
		columns, options, path = s.textual("t"), "FORMAT csv, HEADER", filepath.Join(dir, newName()+".csv")
	}
	if len(e.PartitionBy) > 0 && partitioned(s.table) {
		columns += ", p." + strings.Join(e.PartitionBy, ", p.")
		from = strings.Replace(from, s.table+" t", s.table+" t LEFT JOIN partitions p ON p.run_id = t.run_id", 1)
		options += fmt.Sprintf(", PARTITION_BY (%s), FILENAME_PATTERN '{uuidv7}'", strings.Join(e.PartitionBy, ", "))
		path = dir
		// It has to be made by COPY, or it asks whether to overwrite it.
		if err := os.Remove(dir); err != nil {
			return 0, err
		}
	}
	n, err := copyRows(ctx, tx, "SELECT "+columns+" FROM "+from, path, options)
	if err == nil && n == 0 && (len(there) > 0 || path == dir) {
		return 0, os.RemoveAll(dir) // nothing to add
	}
	if err == nil {
		e.written.sync(dir)
	}
	return n, err
}

// chosenRows is the condition that rows of a table belong to chosen loads.
func chosenRows(s shape) string {
	has := func(name string) bool {
		return slices.ContainsFunc(s.columns, func(c column) bool { return c.name == name })
	}
	switch {
	case s.table == "rooflines":
		// Those of no run are of the machine.
		return "t.run_id IN (SELECT run_id FROM chosen) OR (t.run_id IS NULL AND t.machine_id IN (SELECT machine_id FROM chosen))"
	case has("run_id") && has("seq"):
		return "(t.run_id, t.seq) IN (SELECT (run_id, seq) FROM chosen)"
	case has("run_id"):
		return "t.run_id IN (SELECT run_id FROM chosen)"
	default:
		return "t.machine_id IN (SELECT machine_id FROM chosen)"
	}
}

// newName is a file's name that no other has, later ones sorting later.
func newName() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}
