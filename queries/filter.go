package queries

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Filter chooses loads. Empty lists choose all; a load must have all the tags.
type Filter struct {
	Models, Formats, BenchmarkTypes []string
	Runs, Collects                  []string // ids
	Tags                            map[string]string
	Since, Until                    time.Time // zero: no bound
	Where                           string    // SQL over the columns of load_facts that must hold as well; empty: all
}

// values writes values into SQL: as parameters of a statement to run, or as
// quoted text in a statement to paste.
type values struct {
	paste     bool
	arguments []any // of the parameters
}

// text returns what stands for a text in SQL.
func (v *values) text(text string) string {
	if v.paste {
		return quote(text)
	}
	name := fmt.Sprintf("value%d", len(v.arguments)+1)
	v.arguments = append(v.arguments, sql.Named(name, text))
	return "$" + name
}

// time returns what stands for a moment in SQL.
func (v *values) time(t time.Time) string {
	return v.text(t.UTC().Format(time.RFC3339Nano)) + "::TIMESTAMPTZ"
}

// quote writes a text as an SQL string.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// conditions returns the filter as SQL over the columns of load_facts. All must
// hold.
func (f Filter) conditions(v *values) (list []string) {
	for _, choice := range []struct {
		column string
		values []string
	}{
		{"model", f.Models}, {"format", f.Formats}, {"benchmark_type", f.BenchmarkTypes},
		{"run_id::VARCHAR", f.Runs}, {"collect_id::VARCHAR", f.Collects},
	} {
		var texts []string
		for _, value := range choice.values {
			texts = append(texts, v.text(value))
		}
		if texts != nil {
			list = append(list, choice.column+" IN ("+strings.Join(texts, ", ")+")")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(f.Tags)) {
		list = append(list, fmt.Sprintf("tags[%s] = %s", v.text(key), v.text(f.Tags[key])))
	}
	if !f.Since.IsZero() {
		list = append(list, "started_at >= "+v.time(f.Since))
	}
	if !f.Until.IsZero() {
		list = append(list, "started_at < "+v.time(f.Until))
	}
	if f.Where != "" {
		list = append(list, "("+f.Where+"\n    )") // it may end in a comment
	}
	return list
}

// everyLoad is the line in each file under sql/ that asks about loads, where
// the statement reads the view. It stands in a common table expression with the
// view's name, so that choosing loads changes this line alone. The expression
// is not materialized: it would hold every column of every load.
const everyLoad = "    FROM main.load_facts\n"

// over returns a statement that sees, as load_facts, only loads for which the
// conditions hold, with further columns, each EXPRESSION AS NAME.
func over(statement string, columns, conditions []string) string {
	loads := everyLoad
	if columns != nil {
		loads = "    SELECT *, " + strings.Join(columns, ", ") + "\n" + loads
	}
	if conditions != nil {
		loads += "    WHERE " + strings.Join(conditions, "\n      AND ") + "\n"
	}
	return strings.Replace(statement, everyLoad, loads, 1)
}

// narrow returns a statement over the loads that f chooses, and its arguments.
func (f Filter) narrow(statement string) (narrowed string, arguments []any) {
	var v values
	narrowed = over(statement, nil, f.conditions(&v))
	return narrowed, v.arguments
}

// narrowed returns the rows of a statement over the loads that f chooses.
func narrowed[T any](ctx context.Context, db *sql.DB, task, statement string, f Filter) ([]T, error) {
	statement, arguments := f.narrow(statement)
	return all[T](ctx, db, task, statement, arguments...)
}

//go:embed sql/*.sql
var files embed.FS

// Paste returns the SQL of the file sql/NAME.sql for the loads that f chooses.
// It runs in DuckDB as it is.
func Paste(name string, f Filter) (string, error) {
	text, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		return "", fmt.Errorf("no question %q: %w", name, err)
	}
	return pasted(over(string(text), nil, f.conditions(&values{paste: true}))), nil
}

func pasted(statement string) string { return strings.TrimSpace(statement) + ";\n" }
