package queries

import (
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed named/*.sql
var namedFiles embed.FS

// Named is a saved query. Its file has a header:
//
//	-- title: What it answers
//	-- parameter: NAME = 'default', what it is (any number of these)
//	-- columns: what they mean
type Named struct {
	Name, Title, Columns, SQL string
	Parameters                []Parameter
}

// Parameter is $NAME in the SQL. Values are bound; only Paste inserts them.
type Parameter struct{ Name, Default, Meaning string }

// maxNamed bounds a file of SQL, in bytes.
const maxNamed = 1 << 20

// NamedQueries lists the saved queries, and those of the files FOLDER/*.sql unless
// the folder is empty; these replace queries of the same name.
func NamedQueries(folder string) ([]Named, error) {
	byName := map[string]Named{}
	read := func(from fs.FS, pattern string) error {
		files, err := fs.Glob(from, pattern)
		if err != nil {
			return fmt.Errorf("list queries: %w", err)
		}
		for _, file := range files {
			text, err := fs.ReadFile(from, file)
			if err != nil {
				return fmt.Errorf("read query %s: %w", file, err)
			}
			if len(text) > maxNamed {
				return fmt.Errorf("read query %s: longer than %d bytes", file, maxNamed)
			}
			name := strings.TrimSuffix(path.Base(file), ".sql")
			if byName[name], err = parseNamed(name, string(text)); err != nil {
				return fmt.Errorf("read query %s: %w", file, err)
			}
		}
		return nil
	}
	if err := read(namedFiles, "named/*.sql"); err != nil {
		return nil, err
	}
	if folder != "" {
		if _, err := os.Stat(folder); err != nil {
			return nil, fmt.Errorf("read queries: %w", err)
		}
		if err := read(os.DirFS(folder), "*.sql"); err != nil {
			return nil, err
		}
	}
	var list []Named
	for _, n := range byName {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// parseNamed reads the header.
func parseNamed(name, text string) (Named, error) {
	n := Named{Name: name}
	rest := text
	for {
		line, after, _ := strings.Cut(rest, "\n")
		comment, ok := strings.CutPrefix(line, "--")
		if !ok {
			break
		}
		rest = after
		key, value, _ := strings.Cut(strings.TrimSpace(comment), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "title":
			n.Title = value
		case "columns":
			n.Columns = value
		case "parameter":
			declared, meaning, _ := strings.Cut(value, "',")
			parameter, standard, ok := strings.Cut(declared, "=")
			quoted, opened := strings.CutPrefix(strings.TrimSpace(standard), "'")
			if !ok || !opened {
				return n, fmt.Errorf("%q is not NAME = 'default', meaning", value)
			}
			n.Parameters = append(n.Parameters, Parameter{strings.TrimSpace(parameter), strings.TrimSuffix(quoted, "'"), strings.TrimSpace(meaning)})
		}
	}
	n.SQL = strings.TrimSpace(rest)
	if n.Title == "" || n.SQL == "" {
		return n, fmt.Errorf("no line -- title: …, or no SQL")
	}
	return n, nil
}

// Arguments returns the arguments of the parameters: values by name, otherwise
// the defaults.
func (n Named) Arguments(values map[string]string) ([]any, error) {
	for name := range values {
		if !slices.ContainsFunc(n.Parameters, func(p Parameter) bool { return p.Name == name }) {
			var names []string
			for _, p := range n.Parameters {
				names = append(names, p.Name)
			}
			return nil, fmt.Errorf("query %s has no parameter %q: it has %s", n.Name, name, strings.Join(names, ", "))
		}
	}
	var arguments []any
	for _, p := range n.Parameters {
		arguments = append(arguments, sql.Named(p.Name, n.value(p, values)))
	}
	return arguments, nil
}

func (n Named) value(p Parameter, values map[string]string) string {
	if v, ok := values[p.Name]; ok {
		return v
	}
	return p.Default
}

// placeholder matches a parameter in SQL.
var placeholder = regexp.MustCompile(`\$[A-Za-z_][A-Za-z0-9_]*`)

// Paste returns the SQL with the values in place of the parameters, below a
// comment with its title and columns. It runs in DuckDB as it is.
func (n Named) Paste(values map[string]string) string {
	text := placeholder.ReplaceAllStringFunc(n.SQL, func(found string) string {
		for _, p := range n.Parameters {
			if found == "$"+p.Name {
				return quote(n.value(p, values))
			}
		}
		return found
	})
	// A text that begins with -- would be a flag as an argument of a program.
	about := strings.ReplaceAll(n.Title+"\n   columns: "+n.Columns, "*/", "* /")
	return "/* " + about + " */\n" + text + ";\n"
}
