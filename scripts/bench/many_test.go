package bench_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the program is compared with DuckDB itself

	"github.com/sllmq/sllmq/queries"
)

// many is a warehouse with many loads. Both sides open it each time: ours is a
// whole process.
type many struct {
	t             *testing.T
	b             table
	path          string
	tables        []string
	schema        string // statements that create the tables, with their keys
	loads, rows   int64
	rounds        int
	exported, own string // folders of data sets: the program's and DuckDB's
}

// TestManyLoads compares the program on many loads with DuckDB itself running the
// same SQL. The two sides of each part take turns.
func TestManyLoads(t *testing.T) {
	b := openTable(t)
	path := os.Getenv("SLLMQ_BENCH_WAREHOUSE")
	if path == "" {
		t.Skip("SLLMQ_BENCH_WAREHOUSE is not set: see scripts/bench")
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), "copies-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	m := many{b: b, path: path, rounds: number("SLLMQ_BENCH_ROUNDS", 5), exported: filepath.Join(folder, "exported"), own: filepath.Join(folder, "own")}
	if err := m.look(); err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct {
		name string
		run  func(many)
	}{{"summary", many.summary}, {"questions", many.questions}, {"export", many.exports}, {"import", many.imports}, {"insert", many.inserts}} {
		t.Run(part.name, func(t *testing.T) {
			m.t, m.b.t = t, t
			part.run(m)
		})
	}
}

func (m *many) look() error {
	return duckdb(m.path, func(db *sql.DB) error {
		rows, err := db.Query("SELECT table_name, sql FROM duckdb_tables() WHERE table_name <> 'schema_migrations' ORDER BY table_name")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var table, statement string
			if err := rows.Scan(&table, &statement); err != nil {
				return err
			}
			m.tables = append(m.tables, table)
			m.schema += statement
			var n int64
			if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
				return err
			}
			m.rows += n
			if table == "loads" {
				m.loads = n
			}
		}
		return rows.Err()
	})
}

// duckdb calls work with a database that is open for that call.
func duckdb(dsn string, work func(*sql.DB) error) (err error) {
	db, err := sql.Open("duckdb", dsn)
	if err != nil {
		return err
	}
	if _, err = db.Exec("SET GLOBAL TimeZone = 'UTC'"); err == nil {
		err = work(db)
	}
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	return err
}

// answer runs a statement in DuckDB itself, with the result as CSV to /dev/null.
func (m many) answer(statement string) func() error {
	return func() error {
		return duckdb(m.path+"?access_mode=READ_ONLY", func(db *sql.DB) error {
			_, err := db.Exec("COPY (" + strings.TrimRight(statement, "; \n") + ") TO '/dev/null' (FORMAT csv)")
			return err
		})
	}
}

// turns runs the sides in turns and returns their medians. Before each run it
// removes the folder, and writes dirty pages to the disk.
func (m many) turns(folder string, sides ...func() error) []time.Duration {
	m.t.Helper()
	took := make([][]time.Duration, len(sides))
	for range m.rounds {
		for i, side := range sides {
			if err := os.RemoveAll(folder); err != nil {
				m.t.Fatal(err)
			}
			syscall.Sync()
			took[i] = append(took[i], times(m.t, 1, side)...)
		}
	}
	var medians []time.Duration
	for _, all := range took {
		slices.Sort(all)
		medians = append(medians, median(all))
	}
	return medians
}

func (m many) beside(theirs time.Duration) string {
	return fmt.Sprintf("times DuckDB's own %.2f s, medians of %d in turns", theirs.Seconds(), m.rounds)
}

func (m many) summary() {
	statement, err := program(m.t, "summary", "--show-sql")
	if err != nil {
		m.t.Fatal(err)
	}
	took := m.turns("", m.ours("summary", "--format", "csv"), m.answer(statement))
	m.b.most(fmt.Sprintf("summary over %d loads", m.loads), 1.5, took[0].Seconds()/took[1].Seconds(), "", m.beside(took[1]))
}

// ours returns a run of the program on the warehouse.
func (m many) ours(arguments ...string) func() error {
	return func() error {
		_, err := program(m.t, append(arguments, "--warehouse", m.path)...)
		return err
	}
}

func (m many) questions() {
	named, err := queries.NamedQueries("")
	if err != nil {
		m.t.Fatal(err)
	}
	for _, n := range named {
		took := m.turns("", m.ours("query", n.Name, "--format", "csv"), m.answer(n.Paste(nil)))
		m.b.write("query "+n.Name, "", fmt.Sprintf("%.3g %s", took[0].Seconds()/took[1].Seconds(), m.beside(took[1])), "")
	}
}

// exports compares the export with COPY of the same tables, which leaves its files
// in the page cache, and with COPY followed by fsync, which the export does too.
func (m many) exports() {
	plain := func(sync bool) func() error {
		return func() error {
			if err := os.Mkdir(m.own, 0o755); err != nil {
				return err
			}
			err := duckdb(m.path+"?access_mode=READ_ONLY", func(db *sql.DB) error {
				for _, table := range m.tables {
					if _, err := db.Exec(fmt.Sprintf("COPY %s TO '%s/%s.parquet' (FORMAT parquet, COMPRESSION zstd)", table, m.own, table)); err != nil {
						return err
					}
				}
				return nil
			})
			for _, table := range m.tables {
				if err == nil && sync {
					err = syncFile(filepath.Join(m.own, table+".parquet"))
				}
			}
			return err
		}
	}
	took := m.turns(m.own, m.ours("export", "--to", m.own), plain(false), plain(true))
	what := fmt.Sprintf("export of %d loads, %d rows in all", m.loads, m.rows)
	m.b.most(what, 1.3, took[0].Seconds()/took[1].Seconds(), "", m.beside(took[1]))
	m.b.write("  the same, compared with COPY and fsync", "", fmt.Sprintf("%.3g %s", took[0].Seconds()/took[2].Seconds(), m.beside(took[2])), "")
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// export creates the data set to import, once.
func (m many) export() {
	if _, err := os.Stat(m.exported); err == nil {
		return
	}
	if err := m.ours("export", "--to", m.exported)(); err != nil {
		m.t.Fatal(err)
	}
}

// importing returns an import of the data set into a new warehouse.
func (m many) importing(path string) func() error {
	return func() error {
		_, err := program(m.t, "import", "--warehouse", path, m.exported)
		return err
	}
}

func (m many) imports() {
	m.export()
	path := m.own + ".duckdb"
	m.rate(m.turns(path, m.importing(path))[0])
}

func (m many) rate(took time.Duration) {
	rate := float64(m.rows) / took.Seconds()
	m.b.write(fmt.Sprintf("import of %d rows of Parquet", m.rows), "> 1e+06/s", fmt.Sprintf("%.3g rows a second, median of %d", rate, m.rounds), verdict(rate > 1e6))
}

// inserts compares the import with DuckDB inserting the same files into the same
// tables.
func (m many) inserts() {
	m.export()
	path := m.own + ".duckdb"
	took := m.turns(path, m.importing(path), func() error {
		return duckdb(path, func(db *sql.DB) error {
			if _, err := db.Exec(m.schema); err != nil {
				return err
			}
			for _, table := range m.tables {
				if _, err := db.Exec(fmt.Sprintf("INSERT INTO %s BY NAME FROM '%s/%s/*.parquet'", table, m.exported, table)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	m.rate(took[0])
	m.b.write("  the same, compared with INSERT", "", fmt.Sprintf("%.3g %s", took[0].Seconds()/took[1].Seconds(), m.beside(took[1])), "")
}
