package stream_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/sllmq/sllmq/queries/stream"
)

func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// read runs SQL to its end and counts the rows.
func read(t *testing.T, ctx context.Context, db *sql.DB, text string, o stream.Options) (rows int64, err error) {
	t.Helper()
	r, err := stream.Query(ctx, db, text, o)
	if err != nil {
		return 0, err
	}
	for r.Next() {
		rows += r.Batch().NumRows()
	}
	err = r.Err()
	if closed := r.Close(); closed != nil {
		t.Error(closed)
	}
	return rows, err
}

// text reads the one text that SQL returns.
func text(t *testing.T, db *sql.DB, statement string, arguments ...any) (string, error) {
	t.Helper()
	r, err := stream.Query(t.Context(), db, statement, stream.Options{Arguments: arguments})
	if err != nil {
		return "", err
	}
	defer r.Close()
	if !r.Next() {
		t.Fatal("no row", r.Err())
	}
	return strings.Clone(r.Batch().Column(0).(*array.String).Value(0)), nil // the batch goes
}

func TestTheFirstRowsComeBeforeTheLastAreMade(t *testing.T) {
	r, err := stream.Query(t.Context(), open(t), "from range(1000000000000)", stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 3 {
		if !r.Next() {
			t.Fatal(r.Err())
		}
	}
}

// An error behind the first rows must not look like their end, nor like an
// interrupt, which is what DuckDB says of it once in some fifty times.
func TestAnErrorInTheMiddle(t *testing.T) {
	db := open(t)
	for range 200 {
		rows, err := read(t, t.Context(), db, "select (case when i = 300000 then 'x' else '1' end)::int from range(400000) t(i)", stream.Options{})
		if err == nil || !strings.Contains(err.Error(), "Could not convert string 'x'") || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%d rows and %v", rows, err)
		}
	}
}

func TestTheContextEndsAStatement(t *testing.T) {
	db := open(t)
	for name, statement := range map[string]string{
		"before its first row":   "select count(*) from range(10000000000) a, range(10000000000) b",
		"while rows are read":    "from range(1000000000000)",
		"in one before the last": "select count(*) from range(10000000000) a, range(10000000000) b; select 1",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer stop()
			if _, err := read(t, ctx, db, statement, stream.Options{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
			// What comes next is not interrupted.
			if rows, err := read(t, t.Context(), db, "from range(3)", stream.Options{}); rows != 3 || err != nil {
				t.Errorf("then %d rows and %v", rows, err)
			}
		})
	}
}

// A statement that is cut off holds nothing of the file: the driver's own way
// does, until the process ends.
func TestACancelledStatementLetsTheFileGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.duckdb")
	for i := range 30 {
		db, err := sql.Open("duckdb", path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		_, err = read(t, ctx, db, "select count(*) from range(10000000000) a, range(10000000000) b", stream.Options{})
		stop()
		if err == nil || db.Close() != nil {
			t.Fatal("the statement has an end, or the file none")
		}
		if files, err := filepath.Glob("/proc/self/fd/*"); err != nil || slices.ContainsFunc(files, func(fd string) bool {
			target, err := os.Readlink(fd)
			return err == nil && target == path
		}) {
			t.Fatalf("after %d ms the file is still open (%v)", i, err)
		}
	}
}

func TestStatementsRunInTurn(t *testing.T) {
	db := open(t)
	rows, err := read(t, t.Context(), db, "create table a(i int); insert into a values (1), (2); from a", stream.Options{})
	if rows != 2 || err != nil {
		t.Errorf("%d rows and %v", rows, err)
	}
	r, err := stream.Query(t.Context(), db, "update a set i = 3", stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for r.Next() {
	}
	if r.Returns() || r.Changed() != 2 || r.Err() != nil {
		t.Errorf("an update returns %v and changed %d: %v", r.Returns(), r.Changed(), r.Err())
	}
}

func TestErrorsSayWhere(t *testing.T) {
	for statement, want := range map[string]string{
		"select * form a":           `line 1, column 15: Parser Error: syntax error at or near "a"`,
		"select 1,\n  nonesuch":     "line 2, column 3: Binder Error",
		"select 1; selct 2":         `syntax error at or near "selct"`,
		" -- nothing\n ":            "no statement",
		";;":                        "no statement",
		"select $x":                 "parameter $x: it has no value",
		"select '1'::bit":           "cast it to VARCHAR",
		"select [1::uhugeint] as l": "column l: type UHUGEINT has no Arrow form",
		"select {'a': map {'k': '01:02:03+02'::timetz}}": "TIMETZ",
	} {
		_, err := read(t, t.Context(), open(t), statement, stream.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %s", statement, err, want)
		}
	}
}

func TestLiteralsTakeTheTypeOfTheirPlace(t *testing.T) {
	db := open(t)
	if _, err := read(t, t.Context(), db, "create table t(n int, s text, d double, moment timestamptz); insert into t values (99, 'a', 0, '2020-01-01')", stream.Options{}); err != nil {
		t.Fatal(err)
	}
	x := func(s string) any { return sql.Named("x", stream.Literal(s)) }
	for _, c := range []struct{ statement, value, want string }{
		{"select typeof($x)", "12", "BIGINT"},
		{"select typeof($x)", "1.5", "DOUBLE"},
		{"select typeof($x)", "true", "BOOLEAN"},
		{"select typeof($x)", "opt'125m", "VARCHAR"},
		{"select typeof($x)", "infinity", "VARCHAR"},
		{"select $x::varchar", "o'k", "o'k"},
		{"select count(*)::varchar from t where n < $x", "12", "0"},
		{"select count(*)::varchar from t where s = $x", "12", "0"},
		{"select count(*)::varchar from t where d > $x and moment < now()", "1e3", "0"},
		{"select count(*)::varchar from (from t limit $x)", "12", "1"},
		{"select count(*)::varchar from t where moment > $x", "2026-01-01", "0"},
	} {
		got, err := text(t, db, c.statement, x(c.value))
		if err != nil || got != c.want {
			t.Errorf("%s with %s is %q (%v), want %s", c.statement, c.value, got, err, c.want)
		}
	}
	if _, err := text(t, db, "select count(*)::varchar from t where n < $x", x("twelve")); err == nil || !strings.Contains(err.Error(), "twelve") {
		t.Errorf("a text as a number: %v", err)
	}
	if _, err := text(t, db, "select 'a'", x("1")); err == nil || !strings.Contains(err.Error(), "$x") {
		t.Errorf("a value that nothing asks for: %v", err)
	}
	if got, err := text(t, db, "select $2 || ? ", "a", "b"); err == nil || got != "" {
		t.Errorf("numbered and not: %q, %v", got, err)
	}
	if got, err := text(t, db, "select $2 || $1", "a", "b"); got != "ba" {
		t.Errorf("numbered: %q, %v", got, err)
	}
}

func TestReadOnlyRunsQuestionsAlone(t *testing.T) {
	db := open(t)
	for _, statement := range []string{"select 1", "from range(3)", "describe select 1", "show tables", "summarize select 1", "explain select 1", "values (1)", "pragma version", "with a as (select 1) from a"} {
		if _, err := read(t, t.Context(), db, statement, stream.Options{ReadOnly: true}); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{
		"create table a(i int)", "insert into a values (1)", "copy (select 1) to 'x.csv'", "attach 'x.duckdb'", "install json", "load json",
		"set threads = 1", "pragma threads = 1", "export database 'x'", "checkpoint", "set variable a = 1", "begin",
		"prepare p as select 1", "call pragma_version()", "vacuum", "use memory", "create function f() as 1",
	} {
		var kind *stream.KindError
		if _, err := read(t, t.Context(), db, "select 1; "+statement, stream.Options{ReadOnly: true}); !errors.As(err, &kind) && !isCatalog(err) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// isCatalog says that DuckDB refused a statement before it was looked at.
func isCatalog(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "Catalog Error") || strings.Contains(err.Error(), "Binder Error"))
}
