package warehouse

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

//go:embed schema/views.sql
var viewsSQL string

// migration is one step of the schema; its number is its file's.
type migration struct {
	version int
	name    string
	sql     string
}

// migrations are the steps in order. Their numbers follow one another from 1.
func migrations() ([]migration, error) {
	names, err := fs.Glob(schemaFiles, "schema/[0-9]*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	var steps []migration
	for i, name := range names {
		base := strings.TrimPrefix(name, "schema/")
		number, _, _ := strings.Cut(base, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s is not number %d", base, i+1)
		}
		text, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", base, err)
		}
		steps = append(steps, migration{version, base, string(text)})
	}
	return steps, nil
}

// knownVersion is the version of the schema that this program makes.
func knownVersion() (int, error) {
	steps, err := migrations()
	return len(steps), err
}

// migrate brings the schema up to date, each step in a transaction of its own,
// and the views after them. What only reads takes an older schema as it is, and is
// told what makes it older.
func (d *DB) migrate(ctx context.Context, readOnly bool) (older string, err error) {
	steps, err := migrations()
	if err != nil {
		return "", err
	}
	if d.current(ctx, len(steps)) {
		return "", nil
	}
	version, err := d.schemaVersion(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case version > len(steps):
		return "", fmt.Errorf("%w: its schema is version %d and this program knows %d: update sllmq", ErrNewerSchema, version, len(steps))
	case readOnly && version == 0:
		return "", fmt.Errorf("it is a DuckDB file and no warehouse: name another with --warehouse")
	case readOnly && version < len(steps):
		return fmt.Sprintf("version %d, and this program knows %d", version, len(steps)), nil
	case readOnly:
		return "its views are of an older sllmq", nil
	}
	for _, step := range steps[version:] {
		if err := d.apply(ctx, step); err != nil {
			return "", fmt.Errorf("migrate with %s: %w", step.name, err)
		}
	}
	if err := d.renewViews(ctx); err != nil {
		return "", fmt.Errorf("renew the views: %w", err)
	}
	return "", nil
}

// current says whether schema and views are what this program makes. Every
// append asks, and this is the cheapest way to; what is wrong where they are not
// is for others to find out.
func (d *DB) current(ctx context.Context, version int) bool {
	rows, err := d.db.QueryContext(ctx, "SELECT version, name FROM schema_migrations")
	if err != nil {
		return false
	}
	defer rows.Close()
	newest, sameViews := 0, false
	for rows.Next() {
		var step int
		var name string
		if err := rows.Scan(&step, &name); err != nil {
			return false
		}
		newest = max(newest, step)
		sameViews = sameViews || step == viewsVersion && name == viewsName()
	}
	return rows.Err() == nil && newest == version && sameViews
}

// viewsVersion stands in schema_migrations for the text that the views were
// made from, which is named by its digest.
const viewsVersion = 0

func viewsName() string {
	digest := sha256.Sum256([]byte(viewsSQL))
	return "views.sql " + hex.EncodeToString(digest[:8])
}

// renewViews makes the views again if their text is another one.
func (d *DB) renewViews(ctx context.Context) error {
	name, same := viewsName(), false
	err := d.db.QueryRowContext(ctx, "SELECT count(*) > 0 FROM schema_migrations WHERE version = ? AND name = ?", viewsVersion, name).Scan(&same)
	if err != nil || same {
		return err
	}
	return d.change(ctx, viewsSQL, "INSERT OR REPLACE INTO schema_migrations VALUES (?, ?, now())", viewsVersion, name)
}

// commentLine is a statement that says what a table, a view or a column means.
// In migrations each has a line to itself.
var commentLine = regexp.MustCompile(`(?m)^COMMENT ON (TABLE|VIEW|COLUMN) (\S+) IS ('.*');$`)

// migrateBare makes the schema of an empty database without the tables' comments,
// which take most of the time.
func (d *DB) migrateBare(ctx context.Context) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	for _, step := range steps {
		step.sql = commentLine.ReplaceAllString(step.sql, "")
		if err := d.apply(ctx, step); err != nil {
			return fmt.Errorf("migrate with %s: %w", step.name, err)
		}
	}
	return d.renewViews(ctx)
}

// schemaComments are the statements that were left out, for a database in which
// some tables are views.
func schemaComments(isView func(table string) bool) (string, error) {
	steps, err := migrations()
	last := map[string]string{}
	for _, step := range steps {
		for _, m := range commentLine.FindAllStringSubmatch(step.sql, -1) {
			kind, name, text := m[1], m[2], m[3]
			switch {
			case kind == "VIEW": // those of before: they were made after all steps
				continue
			case kind == "TABLE" && isView(name):
				kind = "VIEW"
			}
			last[name] = fmt.Sprintf("COMMENT ON %s %s IS %s;\n", kind, name, text)
		}
	}
	return strings.Join(slices.Sorted(maps.Values(last)), ""), err
}

// schemaVersion is the last step that was applied, 0 for an empty file.
func (d *DB) schemaVersion(ctx context.Context) (int, error) {
	var there bool
	if err := d.db.QueryRowContext(ctx, "SELECT count(*) > 0 FROM duckdb_tables() WHERE table_name = 'schema_migrations'").Scan(&there); err != nil {
		return 0, fmt.Errorf("look for the schema's version: %w", err)
	}
	if !there {
		return 0, nil
	}
	var version int
	if err := d.db.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM schema_migrations").Scan(&version); err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return version, nil
}

func (d *DB) apply(ctx context.Context, step migration) error {
	statements := step.sql
	if step.version == 1 {
		statements = `CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL);
			COMMENT ON TABLE schema_migrations IS 'the steps that made this schema; number 0 are its views';` + statements
	}
	return d.change(ctx, statements, "INSERT INTO schema_migrations VALUES (?, ?, now())", step.version, step.name)
}

// change applies statements and notes them, or does neither.
func (d *DB) change(ctx context.Context, statements, note string, arguments ...any) error {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if _, err := tx.ExecContext(ctx, statements); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, note, arguments...); err != nil {
		return err
	}
	return tx.Commit()
}
