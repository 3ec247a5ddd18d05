package warehouse_test

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/record"
)

// columnTypes are the column types for a field's type.
var columnTypes = map[reflect.Type][]string{
	reflect.TypeFor[string]():            {"VARCHAR", "UUID"},
	reflect.TypeFor[int64]():             {"BIGINT"},
	reflect.TypeFor[float64]():           {"DOUBLE"},
	reflect.TypeFor[bool]():              {"BOOLEAN"},
	reflect.TypeFor[time.Time]():         {"TIMESTAMP WITH TIME ZONE"},
	reflect.TypeFor[map[string]string](): {"MAP(VARCHAR, VARCHAR)"},
}

func TestSchemaAndRecordsAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for table, kind := range map[string]reflect.Type{
		"machines": reflect.TypeFor[record.Machine](), "runs": reflect.TypeFor[record.Run](), "sessions": reflect.TypeFor[record.Session](),
		"loads": reflect.TypeFor[record.Load](), "stages": reflect.TypeFor[record.Stage](), "inferences": reflect.TypeFor[record.Inference](),
		"samples": reflect.TypeFor[record.Sample](), "io_trace": reflect.TypeFor[record.IOTrace](), "rooflines": reflect.TypeFor[record.Roofline](),
	} {
		fields := map[string]reflect.Type{}
		for _, c := range record.TableColumns(kind) {
			fields[c.Name] = c.Type
		}
		rows, err := db.SQL().Query("SELECT column_name, data_type, is_nullable, coalesce(comment, '') FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", table)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var name, kept, comment string
			var nullable bool
			if err := rows.Scan(&name, &kept, &nullable, &comment); err != nil {
				t.Fatal(err)
			}
			field, ok := fields[name]
			if !ok {
				t.Errorf("%s.%s is not a field of %s", table, name, kind)
				continue
			}
			delete(fields, name)
			held, pointer := field, field.Kind() == reflect.Pointer
			if pointer {
				held = held.Elem()
			}
			if !slices.Contains(columnTypes[held], kept) {
				t.Errorf("%s.%s is %s and its field %s", table, name, kept, field)
			}
			if nullable != (pointer || held.Kind() == reflect.Map) {
				t.Errorf("%s.%s: NULL allowed %t, pointer %t", table, name, nullable, pointer)
			}
			if strings.TrimSpace(comment) == "" {
				t.Errorf("%s.%s has no comment", table, name)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		for name := range fields {
			t.Errorf("%s has no column for %s.%s", table, kind, name)
		}
		var comment string
		if err := db.SQL().QueryRow("SELECT coalesce(comment, '') FROM duckdb_tables() WHERE table_name = ?", table).Scan(&comment); err != nil || comment == "" {
			t.Errorf("%s has no comment (%v)", table, err)
		}
	}
	var keys int
	if err := db.SQL().QueryRow("SELECT count(*) FROM duckdb_constraints() WHERE constraint_type <> 'NOT NULL'").Scan(&keys); err != nil || keys > 0 {
		t.Errorf("%d constraints other than NOT NULL (%v)", keys, err)
	}
	for _, view := range []string{"load_facts", "summary", "comparison"} {
		var comment string
		if err := db.SQL().QueryRow("SELECT coalesce(comment, '') FROM duckdb_views() WHERE view_name = ?", view).Scan(&comment); err != nil || comment == "" {
			t.Errorf("view %s has no comment (%v)", view, err)
		}
	}
}

// TestViewsAreRenewed opens a warehouse with the views of another text.
func TestViewsAreRenewed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	ask := func(a warehouse.Access, statement string) (answer string) {
		t.Helper()
		db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.SQL().QueryRow(statement).Scan(&answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	const changed = "SELECT coalesce(max(applied_at)::VARCHAR, '') FROM schema_migrations WHERE version = 0"
	made := ask(warehouse.Access{Write: true}, changed)
	if again := ask(warehouse.Access{Write: true}, changed); again != made || made == "" {
		t.Errorf("views were applied at %q and again at %q", made, again)
	}
	for _, statement := range []string{
		"CREATE OR REPLACE VIEW load_facts AS SELECT 1 AS run_id",
		"UPDATE schema_migrations SET name = 'views.sql of another day' WHERE version = 0 RETURNING 'done'",
	} {
		db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{Write: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.SQL().Exec(statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	const columns = "SELECT count(*)::VARCHAR FROM duckdb_columns() WHERE table_name = 'load_facts' AND database_name = "
	if n := ask(warehouse.Access{}, columns+"'stored'"); n != "1" {
		t.Errorf("a reader changed the views: load_facts has %s columns", n)
	}
	for _, a := range []warehouse.Access{{}, {Write: true}} {
		if n := ask(a, columns+"current_database()"); n == "1" || n == "0" {
			t.Errorf("load_facts is still the old one where Write is %t", a.Write)
		}
	}
}
