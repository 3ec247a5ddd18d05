package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sllmq/sllmq/health"
)

// Host is where a warehouse is examined: what is needed to tell a collector that
// is at work from one that died.
type Host struct {
	Name, BootID string
	Alive        func(pid int64) bool
}

// Examine says how a warehouse is: whether it opens, what killed writers left,
// its schema, whether every row can be read, rows whose run is missing, and runs
// that nobody will end. It changes nothing but what every opening does: a log that
// a killed writer left is worked in, and one that is corrupt is set aside.
func Examine(ctx context.Context, path string, o Options, host Host) []health.Finding {
	var list []health.Finding
	o.ReadOnly = true
	said := o.Warn
	o.Warn = func(line string) {
		list = append(list, health.Finding{Check: "log", State: health.Warn, Saw: line, Do: "nothing, if the newest loads are there: sllmq runs"})
		if said != nil {
			said(line)
		}
	}
	list = append(list, log(path)...)
	d, err := Open(ctx, path, o)
	list = append(list, leftovers(path)...)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return append(list, health.Finding{Check: "file", State: health.None, Saw: path + " is not there", Do: "sllmq collect makes it; --warehouse names another"})
	case errors.Is(err, ErrNewerSchema):
		return append(list, health.Finding{Check: "schema", State: health.Fail, Saw: err.Error(), Do: "update sllmq"})
	case err != nil:
		return append(list, health.Finding{Check: "file", State: health.Fail, Saw: err.Error(), Do: "move it and its .wal away together, and go on with a new one or a copy"})
	}
	e := examination{d, path, host}
	list = append(list, e.file(), e.schema(ctx))
	damaged := e.tables(ctx)
	list = append(list, damaged...)
	if len(damaged) == 0 {
		list = append(list, e.orphans(ctx)...)
		list = append(list, e.doubles(ctx)...)
		list = append(list, e.unended(ctx)...)
	}
	if err := d.Close(); err != nil {
		list = append(list, health.Finding{Check: "file", State: health.Fail, Saw: err.Error()})
	}
	return list
}

// log is one that lies beside the file while nobody has it open: a reader may look
// past it, so it is told before anybody opens the file.
func log(path string) []health.Finding {
	info, err := os.Stat(walPath(path))
	if isDataset(path) || err != nil || info.Size() == 0 || inUse(path) {
		return nil
	}
	return []health.Finding{{Check: "log", State: health.Warn, Saw: fmt.Sprintf("a writer that was killed left %s, %d bytes", walPath(path), info.Size()),
		Do: "the next sllmq collect works in what it holds whole, and keeps a copy of it"}}
}

// leftovers are what killed writers left beside the warehouse.
func leftovers(path string) []health.Finding {
	var list []health.Finding
	about := func(pattern, check, do string) {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return
		}
		for _, name := range found {
			info, err := os.Stat(name)
			if err != nil {
				continue
			}
			saw := fmt.Sprintf("%s, of %s", name, info.ModTime().UTC().Format("2006-01-02 15:04 UTC"))
			if !info.IsDir() {
				saw = fmt.Sprintf("%s, %d bytes, of %s", name, info.Size(), info.ModTime().UTC().Format("2006-01-02 15:04 UTC"))
			}
			list = append(list, health.Finding{Check: check, State: health.Warn, Saw: saw, Do: do})
		}
	}
	about(globbed(walPath(path))+".torn-*", "log set aside", "see with sllmq runs whether the loads of that time are there, then remove it")
	if !isDataset(path) {
		about(globbed(filepath.Dir(path))+"/.sllmq-new-*", "leftover", "a killed collector left it: remove it if none is at work")
	}
	return list
}

// globbed is a path in which nothing is a pattern.
func globbed(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// examination is of an open warehouse.
type examination struct {
	db   *DB
	path string
	host Host
}

func (e examination) file() health.Finding {
	if isDataset(e.path) {
		return health.Finding{Check: "folder", State: health.OK, Saw: e.path}
	}
	saw := e.path
	if info, err := os.Stat(e.path); err == nil {
		saw += fmt.Sprintf(", %.1f MB", float64(info.Size())/1e6)
	}
	return health.Finding{Check: "file", State: health.OK, Saw: saw}
}

func (e examination) schema(ctx context.Context) health.Finding {
	version, err := e.db.schemaVersion(ctx)
	if err != nil {
		return failed("schema", err)
	}
	if e.db.older != "" {
		return health.Finding{Check: "schema", State: health.Warn, Saw: e.db.older + ": it is read all the same, and what it has not is NULL",
			Do: `nothing, or sllmq sql --write "select 1", which brings it up to date; keep a copy for older programs`}
	}
	return health.Finding{Check: "schema", State: health.OK, Saw: fmt.Sprintf("version %d, the newest", version)}
}

// tables reads every value of every table, which DuckDB's checksums hold to what
// was written, and returns those that can't be read.
func (e examination) tables(ctx context.Context) []health.Finding {
	var list []health.Finding
	for _, table := range tablesInOrder() {
		var rows, digest any
		err := e.db.db.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*), bit_xor(hash(t)) FROM %s t", table)).Scan(&rows, &digest)
		if err != nil {
			list = append(list, health.Finding{Check: "table " + table, State: health.Fail, Saw: (&oneLine{err}).Error(),
				Do: "keep a copy of the file; what other tables hold can be had with sllmq sql --format csv"})
		}
	}
	return list
}

// belongs lists which rows need which others.
var belongs = []struct{ child, parent, on string }{
	{"runs", "machines", "p.machine_id = c.machine_id"},
	{"sessions", "runs", "p.run_id = c.run_id"},
	{"loads", "runs", "p.run_id = c.run_id"},
	{"stages", "loads", "p.run_id = c.run_id AND p.seq = c.seq"},
	{"inferences", "loads", "p.run_id = c.run_id AND p.seq = c.seq"},
	{"io_trace", "loads", "p.run_id = c.run_id AND p.seq = c.seq"},
	{"samples", "runs", "p.run_id = c.run_id"},
	{"rooflines", "machines", "p.machine_id = c.machine_id"},
}

// orphans are rows that no answer shows, since what they belong to is missing.
func (e examination) orphans(ctx context.Context) []health.Finding {
	var list []health.Finding
	for _, b := range belongs {
		from := fmt.Sprintf("FROM %s c WHERE NOT EXISTS (FROM %s p WHERE %s)", b.child, b.parent, b.on)
		var n int64
		if err := e.db.db.QueryRowContext(ctx, "SELECT count(*) "+from).Scan(&n); err != nil {
			list = append(list, failed("orphans", err))
		} else if n > 0 {
			list = append(list, health.Finding{Check: "orphans", State: health.Warn, Saw: fmt.Sprintf("%d rows of %s whose row of %s is missing: no answer shows them", n, b.child, b.parent),
				Do: fmt.Sprintf("look: sllmq sql %q", "SELECT c.* "+from)})
		}
	}
	if list == nil {
		return []health.Finding{{Check: "rows", State: health.OK, Saw: "every table can be read, and every row has what it belongs to"}}
	}
	return list
}

// doubles are rows with the key of another, which only a folder can have.
func (e examination) doubles(ctx context.Context) []health.Finding {
	if !isDataset(e.path) {
		return nil
	}
	var list []health.Finding
	for _, t := range []struct{ table, key string }{{"runs", "run_id"}, {"loads", "run_id, seq"}} {
		var n int64
		if err := e.db.db.QueryRowContext(ctx, fmt.Sprintf("SELECT coalesce(sum(n - 1), 0)::BIGINT FROM (SELECT count(*) AS n FROM %s GROUP BY %s)", t.table, t.key)).Scan(&n); err != nil {
			list = append(list, failed("doubles", err))
		} else if n > 0 {
			list = append(list, health.Finding{Check: "doubles", State: health.Fail, Saw: fmt.Sprintf("%d rows of %s are there twice: every figure counts them so", n, t.table),
				Do: "import the folder into a new .duckdb file, which doubles no row, and export that"})
		}
	}
	return list
}

// longAgo is when a run on another machine is not likely to go on.
const longAgo = 48 * time.Hour

// unended are runs that are said to run, and do not.
func (e examination) unended(ctx context.Context) []health.Finding {
	var here, elsewhere, running int
	err := each(ctx, e.db.db, `SELECT r.pid, coalesce(r.boot_id, ''), coalesce(m.machine, ''), r.started_at FROM runs r LEFT JOIN machines m USING (machine_id) WHERE r.status = 'running'`,
		func(scan func(...any) error) error {
			var pid *int64
			var boot, machine string
			var started time.Time
			if err := scan(&pid, &boot, &machine, &started); err != nil {
				return err
			}
			switch {
			case boot == e.host.BootID && pid != nil && e.host.Alive(*pid):
				running++
			case boot == e.host.BootID || machine == e.host.Name:
				here++
			case time.Since(started) > longAgo:
				elsewhere++
			default:
				running++
			}
			return nil
		})
	var list []health.Finding
	if err != nil {
		list = append(list, failed("runs", err))
	}
	if here > 0 {
		list = append(list, health.Finding{Check: "runs", State: health.Warn, Saw: fmt.Sprintf("%d have no end, and their collector on this machine is gone; their loads are kept", here),
			Do: "the next sllmq collect with the same --storage-path marks them lost"})
	}
	if elsewhere > 0 {
		list = append(list, health.Finding{Check: "runs", State: health.Warn, Saw: fmt.Sprintf("%d on other machines have had no end for two days", elsewhere),
			Do: "look whether a collector is still at work there: sllmq runs"})
	}
	if running > 0 {
		list = append(list, health.Finding{Check: "runs", State: health.OK, Saw: fmt.Sprintf("%d are under way", running)})
	}
	return list
}

func failed(check string, err error) health.Finding {
	return health.Finding{Check: check, State: health.Fail, Saw: (&oneLine{err}).Error()}
}
