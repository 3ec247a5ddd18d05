package warehouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/sllmq/sllmq/warehouse/record"
)

// ImportOptions say what a file does not.
type ImportOptions struct {
	Machine string            // where it was measured; empty: "unknown"
	Tags    map[string]string // for every run
	At      time.Time         // when it was measured; zero: the file's own time
}

// Imported is what became of one file.
type Imported struct {
	File, RunID, Model, Format, BenchmarkType string
	Loads                                     int
	Already                                   bool // it was there before, and nothing changed
}

// maxImport bounds a file of results, in bytes.
const maxImport = 256 << 20

// Import adds files to the warehouse: the reference benchmark's raw results,
// and data sets that Export wrote. Each file is added whole or not at all; one
// that is there already changes nothing; one that can't be read does not keep
// the others out. The errors of all are returned together.
func Import(ctx context.Context, path string, files []string, o ImportOptions, options Options) ([]Imported, error) {
	log := NewLog(path, options)
	var all []Imported
	var errs []error
	for _, file := range files {
		var done []Imported
		var err error
		if info, statErr := os.Stat(file); statErr == nil && info.IsDir() {
			done, err = log.importDataset(ctx, file)
		} else {
			done, err = log.importResults(ctx, file, o)
		}
		all = append(all, done...)
		if err != nil {
			errs = append(errs, fmt.Errorf("import %s: %w", file, err))
		}
	}
	return all, errors.Join(errs...)
}

// importResults adds one file of the reference benchmark.
func (l *Log) importResults(ctx context.Context, file string, o ImportOptions) ([]Imported, error) {
	text, modified, err := readResults(file)
	if err != nil {
		return nil, err
	}
	r, err := parseResults(filepath.Base(file), text)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(text)
	if o.At.IsZero() {
		o.At = modified
	}
	b := r.batch(filepath.Base(file), digest, o)
	done := Imported{File: file, RunID: b.Runs[0].ID, Model: r.model, Format: r.format, BenchmarkType: r.benchmarkType, Loads: len(b.Loads)}
	if done.Already, err = l.hasRun(ctx, done.RunID); err != nil {
		return nil, err
	}
	if !done.Already {
		err = l.Append(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	return []Imported{done}, nil
}

func (l *Log) hasRun(ctx context.Context, id string) (there bool, err error) {
	err = l.read(ctx, func(d *DB) error {
		return d.db.QueryRowContext(ctx, "SELECT count(*) > 0 FROM runs WHERE run_id = ?::UUID", id).Scan(&there)
	})
	if err != nil {
		err = fmt.Errorf("look for the run: %w", err)
	}
	return there, err
}

func readResults(file string) (text []byte, modified time.Time, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	text, err = io.ReadAll(io.LimitReader(f, maxImport+1))
	if err == nil && len(text) > maxImport {
		err = fmt.Errorf("it is longer than %d bytes", maxImport)
	}
	return text, info.ModTime(), err
}

// importSpace names the ids of imported runs (RFC 9562, version 5): the same
// content from the same machine is the same run.
var importSpace = uuid.MustParse("6a1ee1f4-6d41-5c11-9a55-0d9fb0a0c3f7")

// batch is the file as rows. The loads' times are not in the file: they begin
// one after the other from the run's beginning, so that their order is kept.
func (r results) batch(name string, digest [sha256.Size]byte, o ImportOptions) record.Batch {
	machine := o.Machine
	if machine == "" {
		machine = "unknown"
	}
	id := uuid.NewSHA1(importSpace, append(digest[:], machine...)).String()
	engineLoader := map[string]string{"sllm": "store", "safetensors": "mmap"}
	run := record.Run{
		ID:            id,
		CollectID:     id,
		MachineID:     "import:" + machine,
		StartedAt:     o.At,
		EndedAt:       &o.At,
		Status:        record.StatusCompleted,
		Model:         r.model,
		ModelSource:   "imported",
		Format:        r.format,
		Loader:        engineLoader[r.format],
		Device:        "cuda:0",
		Engine:        "transformers",
		BenchmarkType: r.benchmarkType,
		DType:         new("float16"), // the reference saves and loads this type alone
		NumReplicas:   r.replicas,
		Sessions:      1,
		ImportFile:    &name,
		ImportSHA256:  new(hex.EncodeToString(digest[:])),
		Tags:          maps.Clone(o.Tags),
	}
	b := record.Batch{
		Machines: []record.Machine{{ID: run.MachineID, Machine: machine, FirstSeenAt: time.Now()}},
		Runs:     []record.Run{run},
	}
	for i, l := range r.loads {
		seq := int64(i)
		b.Loads = append(b.Loads, record.Load{RunID: id, Seq: seq, StartedAt: o.At.Add(time.Duration(i) * time.Microsecond), Replica: l.replica, LoadingTimeS: &l.LoadingTime})
		b.Inferences = append(b.Inferences, record.Inference{RunID: id, Seq: seq, EndToEndTimeS: l.EndToEndTime, ThroughputTokensS: l.Throughput, OutputText: l.OutputText})
	}
	return b
}

// tablesInOrder are the tables that a data set holds.
func tablesInOrder() []string {
	var names []string
	for _, t := range rowsOf(record.Batch{}) {
		names = append(names, t.table)
	}
	return names
}

// importDataset adds the rows of a data set that are not there yet, all tables
// in one transaction.
func (l *Log) importDataset(ctx context.Context, dir string) ([]Imported, error) {
	present := map[string]string{}
	for _, table := range tablesInOrder() {
		if found, err := filepath.Glob(filepath.Join(dir, table, "*.parquet")); err == nil && len(found) > 0 {
			present[table] = filepath.Join(dir, table, "*.parquet")
		}
	}
	if len(present) == 0 {
		return nil, errors.New("the folder holds no data set that sllmq export wrote")
	}
	done := Imported{File: dir, Already: true}
	d, err := Open(ctx, l.path, l.options)
	if err != nil {
		return nil, err
	}
	merge := func() error {
		tx, err := d.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
		for _, table := range tablesInOrder() {
			glob, ok := present[table]
			if !ok {
				continue
			}
			statement := fmt.Sprintf("INSERT INTO %s BY NAME SELECT * FROM read_parquet(?, union_by_name=true, hive_partitioning=false) ON CONFLICT DO NOTHING", table)
			result, err := tx.ExecContext(ctx, statement, glob)
			if err != nil {
				return fmt.Errorf("table %s: %w", table, &oneLine{err})
			}
			n, err := result.RowsAffected()
			if err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
			if table == "loads" {
				done.Loads = int(n)
			}
			done.Already = done.Already && n == 0
		}
		return tx.Commit()
	}
	if err := errors.Join(merge(), d.Close()); err != nil {
		return nil, err
	}
	return []Imported{done}, nil
}
