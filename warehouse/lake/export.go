package lake

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
	"golang.org/x/sync/errgroup"

	"github.com/sllmq/sllmq/internal/atomicfile"
	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/schema"
)

// ExportOptions are what an export writes, and how. The zero value writes all
// rows as Parquet into a new folder.
type ExportOptions struct {
	Tables      []string // empty: all
	Where       string   // an SQL condition on load_facts; empty: all rows
	PartitionBy []string // month (of the run's start, UTC), machine, or both
	Format      string   // parquet (the default) or csv
	Append      bool     // add missing rows to an existing data set
	Overwrite   bool     // replace the tables of an existing data set
}

// ExportFormats and ExportPartitions are the choices for Format and PartitionBy.
func ExportFormats() []string    { return []string{"parquet", "csv"} }
func ExportPartitions() []string { return []string{"month", "machine"} }

// Check reports choices that do not exist, and fills in the defaults.
func (o *ExportOptions) Check() error {
	if o.Format == "" {
		o.Format = "parquet"
	}
	if len(o.Tables) == 0 {
		o.Tables = schema.Names()
	}
	for _, choice := range []struct {
		what        string
		asked, have []string
	}{
		{"table", o.Tables, schema.Names()}, {"format", []string{o.Format}, ExportFormats()}, {"partition", o.PartitionBy, ExportPartitions()},
	} {
		for i, name := range choice.asked {
			if !slices.Contains(choice.have, name) || slices.Contains(choice.asked[:i], name) {
				return fmt.Errorf("no %s %q, or twice: use %s", choice.what, name, strings.Join(choice.have, ", "))
			}
		}
	}
	if o.Append && (o.Overwrite || o.Format != "parquet") {
		return errors.New("append writes Parquet and cannot overwrite")
	}
	return nil
}

// ErrDataset reports that a folder that should be new holds a data set.
var ErrDataset = errors.New("it holds a data set already")

// Export writes tables as a data set into dir, all as of one moment:
// dir/TABLE/*.parquet, or dir/TABLE/month=2026-11/machine=NAME/*.parquet. The
// metadata of each file has the version of the schema as sllmq_schema.
//
// A new data set appears at once and whole. An existing one that is appended to gets
// only rows whose keys it lacks, and runs that have ended since are ended there;
// each file is renamed into place when it is whole and synced, loads last. A table
// that is overwritten changes in one step; a reader of the old one may have to read
// again. After a kill the same export completes it.
func Export(ctx context.Context, db *database.DB, dir string, o ExportOptions, wait database.Options) (added []schema.Added, err error) {
	e := export{ExportOptions: o, db: db, to: dataset{dir}}
	if err := e.Check(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
	case len(entries) == 0:
		added, err = e.fresh(ctx)
		if errors.Is(err, ErrDataset) && o.Append {
			added, err = e.into(ctx, wait) // another export was faster
		}
	case !slices.ContainsFunc(entries, isOurs):
		err = errors.New("the folder holds other things: name a new or empty one")
	case !o.Append && !o.Overwrite:
		err = ErrDataset
	default:
		added, err = e.into(ctx, wait)
	}
	if err != nil {
		return nil, fmt.Errorf("export to %s: %w", dir, err)
	}
	return added, nil
}

func isOurs(e os.DirEntry) bool {
	return e.Name() == lockName || slices.Contains(schema.Names(), e.Name())
}

// export is an export under way.
type export struct {
	ExportOptions
	db      *database.DB
	to      dataset
	shapes  map[string]schema.Shape
	version int            // of the schema
	syncs   errgroup.Group // of tables that are written
}

// write writes the tables into temp/TABLE/, all as of one moment, and syncs them.
// there are the files of the data set that is appended to.
func (e *export) write(ctx context.Context, temp string, there map[string][]string) (added []schema.Added, err error) {
	defer func() { err = errors.Join(err, e.syncs.Wait()) }()
	if e.shapes, err = schema.Shapes(ctx, e.db.SQL(), schema.Current); err != nil {
		return nil, err
	}
	if e.version, err = schema.Latest(); err != nil {
		return nil, err
	}
	// Threads write row groups as they come. Keeping the table's order takes a sixth
	// longer, and a data set promises none.
	if _, err := e.db.SQL().ExecContext(ctx, "SET GLOBAL preserve_insertion_order = false"); err != nil {
		return nil, err
	}
	defer func() {
		_, resetErr := e.db.SQL().ExecContext(context.WithoutCancel(ctx), "RESET GLOBAL preserve_insertion_order")
		err = errors.Join(err, resetErr)
	}()
	tx, err := e.db.SQL().BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // only temporary tables were made
	if err := e.choose(ctx, tx); err != nil {
		return nil, err
	}
	for _, table := range schema.Names() {
		if !slices.Contains(e.Tables, table) {
			continue
		}
		n, err := e.writeTable(ctx, tx, e.shapes[table], filepath.Join(temp, table), there[table])
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table, err)
		}
		added = append(added, schema.Added{Table: table, Rows: n})
	}
	if i := slices.IndexFunc(added, func(a schema.Added) bool { return a.Table == "runs" }); i >= 0 && len(there["runs"]) > 0 {
		added[i].Ended, err = e.endRuns(ctx, tx, there["runs"], temp)
	}
	return added, err
}

// choose creates temporary tables with the loads to export, and with the
// partition of each run.
func (e *export) choose(ctx context.Context, tx *sql.Tx) error {
	if e.Where != "" {
		// The newline keeps a comment in the condition from swallowing the bracket.
		if _, err := tx.ExecContext(ctx, "CREATE TEMP TABLE chosen AS SELECT run_id, seq, machine_id FROM load_facts WHERE (\n"+e.Where+"\n)"); err != nil {
			return fmt.Errorf("choose loads: %w", database.WithoutStatement(err))
		}
	}
	if len(e.PartitionBy) > 0 {
		const partitions = `CREATE TEMP TABLE partitions AS SELECT r.run_id, strftime(r.started_at, '%Y-%m') AS month, nullif(m.machine, '') AS machine
			FROM runs r LEFT JOIN machines m USING (machine_id)`
		if _, err := tx.ExecContext(ctx, partitions); err != nil {
			return fmt.Errorf("find partitions: %w", database.OneLine(err))
		}
	}
	return nil
}

// writeTable writes the chosen rows of a table that are missing there.
func (e *export) writeTable(ctx context.Context, tx *sql.Tx, s schema.Shape, dir string, there []string) (int64, error) {
	from := s.Table + " t"
	if len(there) > 0 {
		keys := s
		keys.Columns = slices.DeleteFunc(slices.Clone(s.Columns), func(c schema.Column) bool { return !slices.Contains(s.Key, c.Name) })
		known, err := e.to.table(ctx, tx, keys, there, nil)
		if err != nil {
			return 0, err
		}
		from += " ANTI JOIN (" + known + ") there ON " + s.SameKey("t", "there")
	}
	if e.Where != "" {
		from += " WHERE " + chosenRows(s)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, err
	}
	columns := s.Portable("t")
	options, path := parquetOptions(e.version), filepath.Join(dir, newName()+parquet)
	if e.Format == "csv" {
		columns, options, path = s.Textual("t"), "FORMAT csv, HEADER", filepath.Join(dir, newName()+".csv")
	}
	if len(e.PartitionBy) > 0 && partitioned(s.Table) {
		columns += ", p." + strings.Join(e.PartitionBy, ", p.")
		from = strings.Replace(from, s.Table+" t", s.Table+" t LEFT JOIN partitions p ON p.run_id = t.run_id", 1)
		options += fmt.Sprintf(", PARTITION_BY (%s), FILENAME_PATTERN '{uuidv7}'", strings.Join(e.PartitionBy, ", "))
		path = dir
		// COPY creates the folder itself, and refuses one that exists.
		if err := os.Remove(dir); err != nil {
			return 0, err
		}
	}
	n, err := copyRows(ctx, tx, "SELECT "+columns+" FROM "+from, path, options)
	if err == nil && n == 0 && (len(there) > 0 || path == dir) {
		return 0, os.RemoveAll(dir) // nothing to add
	}
	if err == nil {
		// While the next tables are written.
		e.syncs.Go(func() error { return atomicfile.SyncTree(dir) })
	}
	return n, err
}

// chosenRows is the condition that a row of a table, t, belongs to a chosen load.
func chosenRows(s schema.Shape) string {
	has := func(name string) bool {
		return slices.ContainsFunc(s.Columns, func(c schema.Column) bool { return c.Name == name })
	}
	switch {
	case s.Table == "rooflines":
		// Rooflines without a run belong to the machine.
		return "t.run_id IN (SELECT run_id FROM chosen) OR (t.run_id IS NULL AND t.machine_id IN (SELECT machine_id FROM chosen))"
	case has("run_id") && has("seq"):
		return "(t.run_id, t.seq) IN (SELECT (run_id, seq) FROM chosen)"
	case has("run_id"):
		return "t.run_id IN (SELECT run_id FROM chosen)"
	default:
		return "t.machine_id IN (SELECT machine_id FROM chosen)"
	}
}

// newName is a unique file name. Later names sort later.
func newName() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}
