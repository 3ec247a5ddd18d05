package shell

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/render"
)

// errQuit ends the shell.
var errQuit = errors.New("quit")

// command is an entry that begins with a dot.
type command struct {
	name, arguments, does string
	run                   func(s *shell, ctx context.Context, arguments []string) error
	complete              func(s *shell) []string
}

func commands() []command {
	return []command{
		{"help", "", "this list", (*shell).help, nil},
		{"tables", "[PATTERN]", "list tables and views; * in the pattern matches any text", (*shell).listTables, nil},
		{"schema", "[TABLE]", "list the columns of a table, or of all, with their meaning", (*shell).schema, (*shell).tableNames},
		{"queries", "", "list the saved queries", (*shell).listQueries, nil},
		{"query", "NAME [PARAMETER=VALUE]...", "run a saved query", (*shell).query, (*shell).queryNames},
		{"mode", "[FORMAT]", "print or set the format of rows", (*shell).mode, func(s *shell) []string { return s.Formats }},
		{"once", "FILE", "write the next rows to a file", (*shell).once, nil},
		{"param", "[NAME[=VALUE]]", "set $NAME in SQL; without a value, unset it", (*shell).param, nil},
		{"maxrows", "[N]", "stop after N rows; 0 prints all", (*shell).maxRows, nil},
		{"timing", "[on|off]", "print the elapsed time of statements", (*shell).timing, func(*shell) []string { return []string{"on", "off"} }},
		{"read", "FILE", "run the statements and commands of a file", (*shell).read, nil},
		{"quit", "", "leave; so do .exit and Ctrl-D", (*shell).quit, nil},
		{"exit", "", "", (*shell).quit, nil},
	}
}

// usage is the error of a command with wrong arguments.
func usage(c command) error {
	return fmt.Errorf("usage: .%s", strings.TrimSpace(c.name+" "+c.arguments))
}

func (s *shell) command(ctx context.Context, line string) error {
	words := strings.Fields(strings.TrimSuffix(line, ";"))
	name := strings.TrimPrefix(words[0], ".")
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		if c.arguments == "" && len(words) > 1 || !strings.HasPrefix(c.arguments, "[") && c.arguments != "" && len(words) < 2 {
			return usage(c)
		}
		if len(words) > 2 && c.name != "query" {
			return usage(c)
		}
		return c.run(s, ctx, words[1:])
	}
	return fmt.Errorf("no command .%s: .help lists them", name)
}

func (s *shell) help(context.Context, []string) error {
	t := s.list(2, 32)
	for _, c := range commands() {
		if c.does != "" {
			t.add(strings.TrimSpace("."+c.name+" "+c.arguments), c.does)
		}
	}
	if err := t.Write(s.Out); err != nil {
		return err
	}
	fmt.Fprint(s.Out, `
SQL ends with a semicolon and may span several lines. Tab completes, Ctrl-R
searches past entries, Ctrl-C ends a statement or clears the line. The warehouse
is open for one statement at a time, so that collectors can append: what SET and
CREATE TEMP do ends with the statement.
`)
	return nil
}

// list is a table whose last column says what its row is about, folded to the
// terminal.
type list struct {
	render.Table
	room int // of the last column
}

// list starts a list with columns of these widths before the last.
func (s *shell) list(indent int, widths ...int) *list {
	l := &list{Table: render.Table{Indent: indent, Gap: 1}, room: s.Width() - indent}
	for _, n := range widths {
		l.Columns = append(l.Columns, render.Column{Width: n})
		l.room -= n + l.Gap
	}
	l.Columns = append(l.Columns, render.Column{})
	return l
}

// add adds a row. A last column that is too narrow is not folded.
func (l *list) add(cells ...string) {
	const narrowest = 20
	if last := len(cells) - 1; l.room >= narrowest {
		cells[last] = render.Fold("", cells[last], l.room)
	}
	l.Row(cells...)
}

func (s *shell) quit(context.Context, []string) error { return errQuit }

func (s *shell) listTables(_ context.Context, arguments []string) error {
	l := s.list(0, 18, 6)
	for _, t := range s.tables {
		if len(arguments) == 0 || like(t.Name, arguments[0]) {
			l.add(t.Name, t.Kind, t.Comment)
		}
	}
	return l.Write(s.Out)
}

// like reports whether a name matches a pattern in which * is any text.
func like(name, pattern string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return name == pattern
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

func (s *shell) schema(_ context.Context, arguments []string) error {
	found := false
	for _, t := range s.tables {
		if len(arguments) > 0 && t.Name != arguments[0] {
			continue
		}
		found = true
		fmt.Fprintln(s.Out, render.Fold(t.Kind+" "+t.Name+": ", t.Comment, max(s.Width(), 60)))
		l := s.list(2, 28, 12)
		for _, c := range t.Columns {
			l.add(c.Name, c.Type, c.Comment)
		}
		if err := l.Write(s.Out); err != nil {
			return err
		}
	}
	if !found && len(arguments) > 0 {
		return fmt.Errorf("no table %s: .tables lists them", arguments[0])
	}
	return nil
}

func (s *shell) listQueries(context.Context, []string) error {
	l := s.list(0, 20)
	for _, n := range s.Named {
		l.add(n.Name, n.Title)
	}
	return l.Write(s.Out)
}

func (s *shell) query(ctx context.Context, arguments []string) error {
	i := slices.IndexFunc(s.Named, func(n queries.Named) bool { return n.Name == arguments[0] })
	if i < 0 {
		return fmt.Errorf("no query %s: .queries lists them", arguments[0])
	}
	values := map[string]string{}
	for _, pair := range arguments[1:] {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("%q is not PARAMETER=VALUE", pair)
		}
		values[name] = value
	}
	bound, err := s.Named[i].Arguments(values)
	if err != nil {
		return err
	}
	return s.ask(ctx, s.Named[i].SQL, bound)
}

func (s *shell) mode(_ context.Context, arguments []string) error {
	switch {
	case len(arguments) == 0:
		fmt.Fprintln(s.Out, s.Settings.Format)
	case !slices.Contains(s.Formats, arguments[0]):
		return fmt.Errorf("no format %s: use one of %s", arguments[0], strings.Join(s.Formats, ", "))
	default:
		s.Settings.Format = arguments[0]
	}
	return nil
}

func (s *shell) once(_ context.Context, arguments []string) error {
	s.Settings.File = arguments[0]
	return nil
}

func (s *shell) param(_ context.Context, arguments []string) error {
	if len(arguments) == 0 {
		for _, name := range slices.Sorted(maps.Keys(s.Settings.Parameters)) {
			fmt.Fprintf(s.Out, "$%s = %s\n", name, s.Settings.Parameters[name])
		}
		return nil
	}
	name, value, ok := strings.Cut(strings.TrimPrefix(arguments[0], "$"), "=")
	if !ok {
		delete(s.Settings.Parameters, name)
		return nil
	}
	if s.Settings.Parameters == nil {
		s.Settings.Parameters = map[string]string{}
	}
	s.Settings.Parameters[name] = value
	return nil
}

func (s *shell) maxRows(_ context.Context, arguments []string) error {
	if len(arguments) == 0 {
		fmt.Fprintln(s.Out, s.Settings.MaxRows)
		return nil
	}
	n, err := strconv.ParseInt(arguments[0], 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a number of rows", arguments[0])
	}
	s.Settings.MaxRows = n
	return nil
}

func (s *shell) timing(_ context.Context, arguments []string) error {
	switch {
	case len(arguments) == 0:
		s.Settings.Timing = !s.Settings.Timing
	case arguments[0] == "on":
		s.Settings.Timing = true
	case arguments[0] == "off":
		s.Settings.Timing = false
	default:
		return fmt.Errorf("%q is not on or off", arguments[0])
	}
	return nil
}

// maxScript bounds a file of statements, in bytes.
const maxScript = 16 << 20

// read runs a file. Lines outside a statement that begin with a dot are
// commands.
func (s *shell) read(ctx context.Context, arguments []string) error {
	if s.reading > 10 {
		return fmt.Errorf("read %s: files that read files are nested %d deep", arguments[0], s.reading)
	}
	info, err := os.Stat(arguments[0])
	if err == nil && info.Size() > maxScript {
		err = fmt.Errorf("longer than %d bytes", maxScript)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(arguments[0])
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", arguments[0], err)
	}
	s.reading++
	defer func() { s.reading-- }()
	pending := ""
	for line := range strings.Lines(string(text)) {
		if Blank(pending) && strings.HasPrefix(line, ".") {
			pending = ""
			if err := s.command(ctx, strings.TrimSpace(line)); err != nil {
				return err
			}
			continue
		}
		if pending += line; complete(pending) {
			if err := s.script(ctx, pending); err != nil {
				return err
			}
			pending = ""
		}
	}
	return s.script(ctx, pending)
}

func (s *shell) tableNames() []string {
	var names []string
	for _, t := range s.tables {
		names = append(names, t.Name)
	}
	return names
}

func (s *shell) queryNames() []string {
	var names []string
	for _, n := range s.Named {
		names = append(names, n.Name)
	}
	return names
}
