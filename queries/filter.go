package queries

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Filter chooses loads. Empty lists choose all; a load has to have all tags.
type Filter struct {
	Models, Formats, BenchmarkTypes []string
	Runs, Collects                  []string // ids
	Tags                            map[string]string
	Since, Until                    time.Time // zero: no bound
	Where                           string    // SQL over load_facts' columns, further to the rest; empty: all
}

// conditions are the filter as SQL over load_facts' columns: all have to hold.
func (f Filter) conditions() (list []string) {
	for _, choice := range []struct {
		column string
		values []string
	}{
		{"model", f.Models}, {"format", f.Formats}, {"benchmark_type", f.BenchmarkTypes},
		{"run_id::VARCHAR", f.Runs}, {"collect_id::VARCHAR", f.Collects},
	} {
		var quoted []string
		for _, value := range choice.values {
			quoted = append(quoted, quote(value))
		}
		if quoted != nil {
			list = append(list, choice.column+" IN ("+strings.Join(quoted, ", ")+")")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(f.Tags)) {
		list = append(list, fmt.Sprintf("tags[%s] = %s", quote(key), quote(f.Tags[key])))
	}
	moment := func(t time.Time) string { return quote(t.UTC().Format(time.RFC3339Nano)) + "::TIMESTAMPTZ" }
	if !f.Since.IsZero() {
		list = append(list, "started_at >= "+moment(f.Since))
	}
	if !f.Until.IsZero() {
		list = append(list, "started_at < "+moment(f.Until))
	}
	if f.Where != "" {
		list = append(list, "("+f.Where+"\n    )") // it may end in a comment
	}
	return list
}

// quote is a text as SQL.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// over narrows what a statement sees of load_facts to what f chooses: a common
// table expression of the same name stands before the view. As a materialized one
// it would have every column of every load.
func (f Filter) over(statement string) string {
	conditions := f.conditions()
	if conditions == nil {
		return statement
	}
	body := statement
	for strings.HasPrefix(body, "--") {
		_, body, _ = strings.Cut(body, "\n")
	}
	head := statement[:len(statement)-len(body)]
	narrowed := "WITH load_facts AS NOT MATERIALIZED (\n    SELECT * FROM main.load_facts\n    WHERE " + strings.Join(conditions, "\n      AND ") + "\n)"
	if rest, ok := strings.CutPrefix(body, "WITH "); ok {
		return head + narrowed + ", " + rest
	}
	return head + narrowed + "\n" + body
}

//go:embed sql/*.sql
var files embed.FS

// Paste is the SQL of the file sql/NAME.sql for the loads that f chooses, ready
// to be run in DuckDB itself.
func Paste(name string, f Filter) (string, error) {
	text, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		return "", fmt.Errorf("no question %q: %w", name, err)
	}
	return f.paste(string(text)), nil
}

func (f Filter) paste(statement string) string { return strings.TrimSpace(f.over(statement)) + ";\n" }
