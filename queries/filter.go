package queries

import (
	"database/sql"
	"embed"
	"fmt"
	"regexp"
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

// parameter is a parameter of the SQL files, and its value.
type parameter struct {
	name   string
	values []string  // of a list
	bound  time.Time // of a time, if values is nil
}

func (f Filter) parameters() []parameter {
	list := func(name string, values []string) parameter {
		return parameter{name: name, values: append([]string{}, values...)}
	}
	var tags []string
	for key, value := range f.Tags {
		tags = append(tags, key+"="+value)
	}
	slices.Sort(tags)
	return []parameter{
		list("models", f.Models), list("formats", f.Formats), list("benchmark_types", f.BenchmarkTypes),
		list("runs", f.Runs), list("collects", f.Collects), list("tags", tags),
		{name: "since", bound: f.Since}, {name: "until", bound: f.Until},
	}
}

// arguments are the filter as the parameters of the SQL files.
func (f Filter) arguments() []any {
	var list []any
	for _, p := range f.parameters() {
		switch {
		case p.values != nil:
			list = append(list, sql.Named(p.name, strings.Join(p.values, "\x1f")))
		case p.bound.IsZero():
			list = append(list, sql.Named(p.name, nil))
		default:
			list = append(list, sql.Named(p.name, p.bound.UTC()))
		}
	}
	return list
}

// quote is a text as SQL.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// literal is the value as SQL.
func (p parameter) literal() string {
	switch {
	case p.values == nil && p.bound.IsZero():
		return "NULL"
	case p.values == nil:
		return quote(p.bound.UTC().Format(time.RFC3339Nano))
	case len(p.values) == 0:
		return "''"
	}
	var quoted []string
	for _, v := range p.values {
		quoted = append(quoted, quote(v))
	}
	return "(" + strings.Join(quoted, " || chr(31) || ") + ")"
}

// over narrows what a statement sees of load_facts to Where: a common table
// expression of the same name stands before the view.
func (f Filter) over(statement string) string {
	if f.Where == "" {
		return statement
	}
	body := statement
	for strings.HasPrefix(body, "--") {
		_, body, _ = strings.Cut(body, "\n")
	}
	head := statement[:len(statement)-len(body)]
	narrowed := "WITH load_facts AS (\n    SELECT * FROM main.load_facts\n    WHERE (" + f.Where + "\n    )\n)"
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
	return f.paste(f.over(string(text))), nil
}

var parameterNames = regexp.MustCompile(`\$[a-z_]+\b`)

// paste puts the filter's values in place of the parameters.
func (f Filter) paste(statement string) string {
	literals := map[string]string{}
	for _, p := range f.parameters() {
		literals["$"+p.name] = p.literal()
	}
	filled := parameterNames.ReplaceAllStringFunc(statement, func(name string) string {
		if literal, ok := literals[name]; ok {
			return literal
		}
		return name
	})
	return strings.TrimSpace(filled) + ";\n"
}
