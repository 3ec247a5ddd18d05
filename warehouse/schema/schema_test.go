package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/warehouse/database"
	"github.com/sllmq/sllmq/warehouse/record"
)

// memory is an empty database.
func memory(t *testing.T) *sql.DB {
	t.Helper()
	db, err := database.OpenMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db.SQL()
}

// older makes the schema of an earlier release, by its steps up to version.
func older(t *testing.T, version int) *sql.DB {
	t.Helper()
	db := memory(t)
	all, err := steps()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	for _, s := range all[:version] {
		if err := change(t.Context(), db, s.sql, s.version, s.name); err != nil {
			t.Fatal(err)
		}
	}
	if err := change(t.Context(), db, "CREATE VIEW load_facts AS SELECT 1 AS run_id", viewsVersion, "views.sql of another day"); err != nil {
		t.Fatal(err)
	}
	return db
}

func upgrade(t *testing.T, db *sql.DB) {
	t.Helper()
	state, err := Read(t.Context(), db)
	if err == nil {
		err = Upgrade(t.Context(), db, state)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// describe lists everything about a schema except its keys.
func describe(t *testing.T, db *sql.DB) (lines []string) {
	t.Helper()
	for _, query := range []string{
		"SELECT table_name || ': ' || coalesce(comment, 'no comment') FROM duckdb_tables()",
		"SELECT format('{}.{} {} {} {}: {}', table_name, column_name, column_index, data_type, is_nullable, coalesce(comment, '')) FROM duckdb_columns() WHERE NOT internal",
		"SELECT view_name || coalesce(comment, 'no comment') || sql FROM duckdb_views() WHERE NOT internal",
		"SELECT 'version ' || max(version) FROM schema_migrations",
		"SELECT name FROM schema_migrations WHERE version = 0",
	} {
		err := database.Each(t.Context(), db, query+" ORDER BY ALL", func(scan func(...any) error) error {
			var line string
			err := scan(&line)
			lines = append(lines, line)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

func TestAMigratedSchemaIsLikeANewOne(t *testing.T) {
	created := memory(t)
	upgrade(t, created)
	want := describe(t, created)
	if len(want) < 220 {
		t.Fatalf("only %d lines describe the schema", len(want))
	}
	for _, version := range []int{1, baseline - 1, baseline} {
		migrated := older(t, version)
		upgrade(t, migrated)
		got := describe(t, migrated)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("from version %d: line %d of %d and %d:\n%s\nwant\n%s", version, i, len(got), len(want), got[min(i, len(got)-1)], want[min(i, len(want)-1)])
			}
		}
		var keys, notNull [2]int
		for i, db := range []*sql.DB{created, migrated} {
			if err := db.QueryRow("SELECT count(*) FILTER (constraint_type = 'PRIMARY KEY'), count(*) FILTER (constraint_type = 'NOT NULL') FROM duckdb_constraints()").Scan(&keys[i], &notNull[i]); err != nil {
				t.Fatal(err)
			}
		}
		// A primary key column is NOT NULL; schema_migrations has one that is not in Tables.
		if keys != [2]int{0, len(Tables()) + 1} {
			t.Errorf("from version %d: new and migrated have %v primary keys", version, keys)
		}
	}
}

// The keys that earlier releases declared are the natural keys.
func TestKeysAreThoseOfEarlierReleases(t *testing.T) {
	db := older(t, baseline)
	for _, table := range Tables() {
		var text string
		err := db.QueryRow("SELECT constraint_text FROM duckdb_constraints() WHERE table_name = ? AND constraint_type = 'PRIMARY KEY'", table.Name).Scan(&text)
		if want := fmt.Sprintf("PRIMARY KEY(%s)", strings.Join(table.Key, ", ")); err != nil || strings.ReplaceAll(text, `"`, "") != want {
			t.Errorf("%s has %s, want %s (%v)", table.Name, text, want, err)
		}
	}
}

func TestUpgradeIsDoneOnce(t *testing.T) {
	db := memory(t)
	applied := func() (at string) {
		t.Helper()
		if err := db.QueryRow("SELECT string_agg(applied_at::VARCHAR, ' ' ORDER BY version) FROM schema_migrations").Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	upgrade(t, db)
	first := applied()
	state, err := Read(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	if why, err := state.Older(); why != "" || err != nil {
		t.Errorf("a new schema is older: %s, %v", why, err)
	}
	upgrade(t, db)
	if again := applied(); again != first {
		t.Errorf("applied at %s and again at %s", first, again)
	}
}

func TestReadTellsStatesApart(t *testing.T) {
	empty, err := Read(t.Context(), memory(t))
	if err != nil || empty != (State{}) {
		t.Errorf("an empty database has state %+v, %v", empty, err)
	}
	state, err := Read(t.Context(), older(t, 2))
	if err != nil || state.Version != 2 {
		t.Errorf("version 2 has state %+v, %v", state, err)
	}
	if why, _ := state.Older(); !strings.HasPrefix(why, "version 2, ") {
		t.Errorf("version 2 is older because %q", why)
	}
	newer := memory(t)
	upgrade(t, newer)
	if _, err := newer.Exec("INSERT INTO schema_migrations VALUES (999, 'later', now())"); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(t.Context(), newer); !errors.Is(err, database.ErrNewer) {
		t.Errorf("version 999: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, newer); !errors.Is(err, context.Canceled) {
		t.Errorf("without a context: %v", err)
	}
}

func TestEveryTableOfABatchIsInTheSchema(t *testing.T) {
	var names []string
	for _, rows := range database.Rows(record.Batch{}) {
		names = append(names, rows.Table)
	}
	if !slices.Equal(names, Names()) {
		t.Errorf("a batch has tables %v, the schema %v", names, Names())
	}
}
