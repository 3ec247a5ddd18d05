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

	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/schema"
)

// State is the outcome of a check.
type State string

// The states, from best to worst.
const (
	OK   State = "ok"
	None State = "none" // there is no warehouse yet
	Warn State = "warn" // works, but something should be looked at
	Fail State = "fail" // cannot be used
)

// Finding is what one check found.
type Finding struct {
	Check string
	State State
	Saw   string // one line
	Do    string // what to do about it, in one line; "" for nothing
}

// Host is the machine on which a warehouse is examined. It distinguishes running
// collectors from dead ones.
type Host struct {
	Name, BootID string
	Alive        func(pid int64) bool
}

// inspector is a Store that finds what killed writers left without opening the
// warehouse.
type inspector interface {
	log() []Finding       // before it is opened
	leftovers() []Finding // after
}

var _ inspector = (*file)(nil)

// Examine reports the condition of the warehouse at path: whether it opens, what
// killed writers left, its schema, whether every row can be read, rows whose run is
// missing, keys that are not unique, and runs that nobody will end. It changes
// nothing except what every opening does: a log that a killed writer left is replayed,
// and a corrupt one is set aside.
func Examine(ctx context.Context, path string, o Options, host Host) []Finding {
	var list []Finding
	warn := o.Warn
	o.Warn = func(line string) {
		list = append(list, Finding{Check: "log", State: Warn, Saw: line, Do: "nothing, if the newest loads are there: sllmq runs"})
		if warn != nil {
			warn(line)
		}
	}
	store := At(path, o)
	inspector, ok := store.(inspector)
	if ok {
		list = append(list, inspector.log()...)
	}
	db, err := store.Open(ctx, Access{})
	if ok {
		list = append(list, inspector.leftovers()...)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return append(list, Finding{Check: "file", State: None, Saw: path + " is not there", Do: "sllmq collect creates it; --warehouse names another"})
	case errors.Is(err, database.ErrNewer):
		return append(list, Finding{Check: "schema", State: Fail, Saw: err.Error(), Do: "update sllmq"})
	case err != nil:
		return append(list, Finding{Check: "file", State: Fail, Saw: err.Error(), Do: "move it away together with its .wal, and start a new one or restore a copy"})
	}
	e := examination{db, path, host}
	list = append(list, e.place(), e.schema(ctx))
	list = append(list, e.keys(ctx)...)
	damaged := e.tables(ctx)
	list = append(list, damaged...)
	if len(damaged) == 0 {
		list = append(list, e.orphans(ctx)...)
		list = append(list, e.doubles(ctx)...)
		list = append(list, e.unended(ctx)...)
	}
	if err := db.Close(); err != nil {
		list = append(list, Finding{Check: "file", State: Fail, Saw: err.Error()})
	}
	return list
}

// log finds a log beside a file that nobody has open.
func (f *file) log() []Finding {
	info, err := os.Stat(walPath(f.path))
	if err != nil || info.Size() == 0 || inUse(f.path) {
		return nil
	}
	return []Finding{{Check: "log", State: Warn, Saw: fmt.Sprintf("a killed writer left %s, %d bytes", walPath(f.path), info.Size()),
		Do: "the next sllmq collect replays what is whole in it, and keeps a copy"}}
}

// leftovers finds what killed writers left beside the file.
func (f *file) leftovers() []Finding {
	var list []Finding
	find := func(pattern, check, do string) {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return
		}
		for _, name := range found {
			info, err := os.Stat(name)
			if err != nil {
				continue
			}
			size := ""
			if !info.IsDir() {
				size = fmt.Sprintf(" %d bytes,", info.Size())
			}
			list = append(list, Finding{Check: check, State: Warn, Saw: fmt.Sprintf("%s,%s from %s", name, size, info.ModTime().UTC().Format("2006-01-02 15:04 UTC")), Do: do})
		}
	}
	find(escapeGlob(walPath(f.path))+".torn-*", "log set aside", "check with sllmq runs whether the loads of that time are there, then remove it")
	find(escapeGlob(filepath.Dir(f.path))+"/"+database.PartsPrefix+"*", "leftover", "a killed collector left it: remove it if none is running")
	return list
}

// escapeGlob is a pattern that matches path alone.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// examination is of an open warehouse.
type examination struct {
	db   *DB
	path string
	host Host
}

func (e examination) place() Finding {
	info, err := os.Stat(e.path)
	if err != nil {
		return failed("file", err)
	}
	if info.IsDir() {
		return Finding{Check: "folder", State: OK, Saw: e.path}
	}
	return Finding{Check: "file", State: OK, Saw: fmt.Sprintf("%s, %.1f MB", e.path, float64(info.Size())/1e6)}
}

func (e examination) schema(ctx context.Context) Finding {
	state, err := schema.Read(ctx, e.db.SQL())
	if err != nil {
		return failed("schema", err)
	}
	if e.db.Older != "" {
		return Finding{Check: "schema", State: Warn, Saw: e.db.Older + ": it can be read, and columns it lacks are NULL",
			Do: `nothing, or sllmq sql --write "select 1" to bring it up to date; keep a copy for older programs`}
	}
	return Finding{Check: "schema", State: OK, Saw: fmt.Sprintf("version %d, the newest", state.Version)}
}

// keys finds a file of an earlier release, whose tables have key indexes.
func (e examination) keys(ctx context.Context) []Finding {
	var n int64
	if err := e.db.SQL().QueryRowContext(ctx, "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' AND table_name <> 'schema_migrations'").Scan(&n); err != nil {
		return []Finding{failed("keys", err)}
	}
	if n == 0 {
		return nil
	}
	return []Finding{{Check: "keys", State: Warn, Saw: "an earlier sllmq made key indexes in it: it is up to four times as large as it needs to be, and slower to grow",
		Do: fmt.Sprintf("nothing, or rewrite it: sllmq import %s --warehouse new.duckdb", e.path)}}
}

// tables reads every value of every table, which DuckDB compares with its
// checksums, and reports the tables that cannot be read.
func (e examination) tables(ctx context.Context) []Finding {
	var list []Finding
	for _, table := range schema.Names() {
		var rows, digest any
		err := e.db.SQL().QueryRowContext(ctx, fmt.Sprintf("SELECT count(*), bit_xor(hash(t)) FROM %s t", table)).Scan(&rows, &digest)
		if err != nil {
			list = append(list, Finding{Check: "table " + table, State: Fail, Saw: database.OneLine(err).Error(),
				Do: "keep a copy of the file; save the other tables with sllmq sql --format csv"})
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

// orphans finds rows that no query shows because what they belong to is missing.
func (e examination) orphans(ctx context.Context) []Finding {
	var list []Finding
	for _, b := range belongs {
		from := fmt.Sprintf("FROM %s c WHERE NOT EXISTS (FROM %s p WHERE %s)", b.child, b.parent, b.on)
		var n int64
		if err := e.db.SQL().QueryRowContext(ctx, "SELECT count(*) "+from).Scan(&n); err != nil {
			list = append(list, failed("orphans", err))
		} else if n > 0 {
			list = append(list, Finding{Check: "orphans", State: Warn, Saw: fmt.Sprintf("%d rows of %s whose row of %s is missing: no query shows them", n, b.child, b.parent),
				Do: fmt.Sprintf("look: sllmq sql %q", "SELECT c.* "+from)})
		}
	}
	if list == nil {
		return []Finding{{Check: "rows", State: OK, Saw: "every table can be read, and every row has what it belongs to"}}
	}
	return list
}

// doubles finds rows with the key of another.
func (e examination) doubles(ctx context.Context) []Finding {
	var list []Finding
	for _, t := range schema.Tables() {
		again, err := schema.Repeats(ctx, e.db.SQL(), t.Name, t.Key)
		var n int64
		if err == nil && again {
			key := strings.Join(t.Key, ", ")
			err = e.db.SQL().QueryRowContext(ctx, fmt.Sprintf("SELECT coalesce(sum(n - 1), 0)::BIGINT FROM (SELECT count(*) AS n FROM %s GROUP BY %s)", t.Name, key)).Scan(&n)
		}
		if err != nil {
			list = append(list, failed("doubles", err))
		} else if n > 0 {
			list = append(list, Finding{Check: "doubles", State: Fail, Saw: fmt.Sprintf("%d rows of %s are there twice, and every figure counts them twice", n, t.Name),
				Do: fmt.Sprintf("sllmq import %s --warehouse new.duckdb keeps one of each", e.path)})
		}
	}
	return list
}

// longAgo is how long a run on another machine may go without an end.
const longAgo = 48 * time.Hour

// unended finds runs that are recorded as running although their collector is gone.
func (e examination) unended(ctx context.Context) []Finding {
	var here, elsewhere, running int
	err := database.Each(ctx, e.db.SQL(), `SELECT r.pid, coalesce(r.boot_id, ''), coalesce(m.machine, ''), r.started_at FROM runs r LEFT JOIN machines m USING (machine_id) WHERE r.status = 'running'`,
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
	var list []Finding
	if err != nil {
		list = append(list, failed("runs", err))
	}
	if here > 0 {
		list = append(list, Finding{Check: "runs", State: Warn, Saw: fmt.Sprintf("%d have no end, and their collector on this machine is gone; their loads are kept", here),
			Do: "the next sllmq collect with the same --storage-path marks them lost"})
	}
	if elsewhere > 0 {
		list = append(list, Finding{Check: "runs", State: Warn, Saw: fmt.Sprintf("%d on other machines have had no end for two days", elsewhere),
			Do: "check whether a collector is still running there: sllmq runs"})
	}
	if running > 0 {
		list = append(list, Finding{Check: "runs", State: OK, Saw: fmt.Sprintf("%d are under way", running)})
	}
	return list
}

func failed(check string, err error) Finding {
	return Finding{Check: check, State: Fail, Saw: database.OneLine(err).Error()}
}
