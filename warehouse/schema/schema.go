// Package schema is the warehouse's tables, views and comments, and how a file
// of an earlier release becomes like a new one.
//
// A new database gets tables.sql. Every change since then is a numbered step,
// NNNN_what.sql, applied once to new and old files alike; the steps up to
// baseline are for the files of releases before tables.sql. Views (views.sql) and
// comments (comments.sql) are not steps: they are applied again whenever their
// text has changed. Table schema_migrations records all of it.
//
// Tables declare no primary keys. DuckDB keeps an index for each, which makes a
// warehouse four times as large and merges eleven times as slow, and every append
// rewrites it. A table's natural key (Table.Key) is unique by construction: run
// IDs are UUIDv7, the one collector of a run numbers its sessions and loads, and
// merges add only rows whose key is missing. sllmq doctor checks it. Files of
// earlier releases keep the keys they have.
package schema

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/sllmq/sllmq/warehouse/database"
)

// Table is a table of rows of package record.
type Table struct {
	Name    string
	Key     []string // columns that no two rows have in common
	Comment string
}

// Tables lists the tables, owners before what belongs to them.
func Tables() []Table {
	return []Table{
		{"machines", []string{"machine_id"}, "the hardware and system that runs were measured on; another kernel, driver or storage is another row"},
		{"runs", []string{"run_id"}, "one benchmark type x model x format x engine x loader x device on one machine, with its configuration"},
		{"sessions", []string{"run_id", "session"}, "one worker process, and the cost of getting it ready"},
		{"loads", []string{"run_id", "seq"}, "one replica brought to the device once"},
		{"stages", []string{"run_id", "seq", "stage"}, "the parts of a load, which may overlap in time"},
		{"inferences", []string{"run_id", "seq"}, "the short generation after a load"},
		{"samples", []string{"run_id", "sampled_at", "source", "metric"}, "telemetry over time"},
		{"io_trace", []string{"run_id", "seq", "chunk"}, "one chunk of a load"},
		{"rooflines", []string{"roofline_id"}, "the best a machine can do"},
	}
}

// Names lists the tables' names in the order of Tables.
func Names() []string {
	var names []string
	for _, t := range Tables() {
		names = append(names, t.Name)
	}
	return names
}

//go:embed *.sql
var files embed.FS

//go:embed tables.sql
var tablesSQL string

//go:embed comments.sql
var commentsSQL string

//go:embed views.sql
var viewsSQL string

// baseline is the version of tables.sql.
const baseline = 11

// step is one numbered change of the schema.
type step struct {
	version   int
	name, sql string
}

// steps lists the steps in order. Their numbers follow one another from 1.
func steps() ([]step, error) {
	names, err := fs.Glob(files, "[0-9]*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	var all []step
	for i, name := range names {
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s is not number %d", name, i+1)
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", name, err)
		}
		all = append(all, step{version, name, string(text)})
	}
	return all, nil
}

// Latest is the version of the schema that this program makes.
func Latest() (int, error) {
	all, err := steps()
	return len(all), err
}

// State is what a database records about its schema.
type State struct {
	Version int    // of the last step; 0: the database is not a warehouse
	views   string // names the text of its views and comments
}

// Read returns the state of a database. It is a database.ErrNewer if the version
// is above Latest. Every append asks: for a warehouse it is one statement.
func Read(ctx context.Context, db database.Querier) (State, error) {
	var s State
	err := database.Each(ctx, db, "SELECT version, name FROM schema_migrations", func(scan func(...any) error) error {
		var version int
		var name string
		err := scan(&version, &name)
		s.Version = max(s.Version, version)
		if version == viewsVersion {
			s.views = name
		}
		return err
	})
	if err != nil {
		missing := false
		if look := database.Each(ctx, db, "SELECT count(*) = 0 FROM duckdb_tables() WHERE table_name = 'schema_migrations'",
			func(scan func(...any) error) error { return scan(&missing) }); look != nil || !missing {
			return State{}, fmt.Errorf("read the schema's version: %w", err)
		}
		return State{}, nil
	}
	latest, err := Latest()
	if err == nil && s.Version > latest {
		err = fmt.Errorf("%w: its schema is version %d and this program knows %d: update sllmq", database.ErrNewer, s.Version, latest)
	}
	return s, err
}

// Older is why a database's schema is older than this program's; "" if it is not.
func (s State) Older() (string, error) {
	latest, err := Latest()
	switch {
	case err != nil:
		return "", err
	case s.Version < latest:
		return fmt.Sprintf("version %d, and this program knows %d", s.Version, latest), nil
	case s.views != viewsName():
		return "its views are from another version of sllmq", nil
	}
	return "", nil
}

// Upgrade makes the schema of an empty database, or brings that of an older one
// up to date: each step in its own transaction, then views and comments.
func Upgrade(ctx context.Context, db *sql.DB, from State) error {
	if err := migrate(ctx, db, from.Version); err != nil {
		return err
	}
	if from.views == viewsName() {
		return nil
	}
	if err := change(ctx, db, viewsSQL+comments(nil), viewsVersion, viewsName()); err != nil {
		return fmt.Errorf("renew the views: %w", err)
	}
	return nil
}

// CreateBare makes the schema of an empty database without comments, which take
// most of the time.
func CreateBare(ctx context.Context, db *sql.DB) error {
	if err := migrate(ctx, db, 0); err != nil {
		return err
	}
	if err := change(ctx, db, viewsSQL, viewsVersion, viewsName()); err != nil {
		return fmt.Errorf("make the views: %w", err)
	}
	return nil
}

// Replace puts views over other rows in the place of tables of a bare database,
// each with its select, and adds the comments.
func Replace(ctx context.Context, db *sql.DB, selects Selects) error {
	var script strings.Builder
	for table, statement := range selects {
		fmt.Fprintf(&script, "DROP TABLE %[1]s; CREATE VIEW %[1]s AS %[2]s;\n", table, statement)
	}
	_, err := db.ExecContext(ctx, "BEGIN TRANSACTION;\n"+script.String()+comments(selects)+"COMMIT;")
	return err
}

// migrate applies the steps after version.
func migrate(ctx context.Context, db *sql.DB, version int) error {
	all, err := steps()
	if err != nil {
		return err
	}
	if version == 0 {
		all = append([]step{{baseline, "tables.sql", tablesSQL}}, all[baseline:]...)
	} else {
		all = all[version:]
	}
	for _, s := range all {
		if err := change(ctx, db, s.sql, s.version, s.name); err != nil {
			return fmt.Errorf("migrate with %s: %w", s.name, err)
		}
	}
	return nil
}

// change applies statements and records them in schema_migrations, or does
// neither.
func change(ctx context.Context, db *sql.DB, statements string, version int, name string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if _, err := tx.ExecContext(ctx, statements); err != nil {
		return err
	}
	// Update before insert: older files have a key on version, newer ones have none.
	n, err := database.Exec(ctx, tx, "UPDATE schema_migrations SET name = ?, applied_at = now() WHERE version = ?", name, version)
	if err == nil && n == 0 {
		_, err = tx.ExecContext(ctx, "INSERT INTO schema_migrations VALUES (?, ?, now())", version, name)
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// viewsVersion stands in schema_migrations for views and comments, which are
// named by the digest of their text.
const viewsVersion = 0

func viewsName() string {
	digest := sha256.Sum256([]byte(viewsSQL + comments(nil)))
	return "views.sql " + hex.EncodeToString(digest[:8])
}

// comments are the statements that comment tables and columns where the tables
// in selects are views.
func comments(selects Selects) string {
	var script strings.Builder
	script.WriteString(commentsSQL)
	for _, t := range Tables() {
		kind := "TABLE"
		if selects[t.Name] != "" {
			kind = "VIEW"
		}
		fmt.Fprintf(&script, "COMMENT ON %s %s IS %s;\n", kind, t.Name, database.Quote(t.Comment))
	}
	script.WriteString("COMMENT ON TABLE schema_migrations IS 'the steps that made this schema; version 0 is its views and comments';\n")
	return script.String()
}
