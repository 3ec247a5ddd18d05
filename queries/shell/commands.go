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
)

// errQuit says that the shell was asked to end.
var errQuit = errors.New("quit")

// command is what begins with a dot.
type command struct {
	name, arguments, does string
	run                   func(s *shell, ctx context.Context, arguments []string) error
	complete              func(s *shell) []string
}

func commands() []command {
	return []command{
		{"help", "", "this list", (*shell).help, nil},
		{"tables", "[PATTERN]", "list tables and views, whose names match a pattern with *", (*shell).listTables, nil},
		{"schema", "[TABLE]", "list the columns of a table, or of all, and what they mean", (*shell).schema, (*shell).tableNames},
		{"queries", "", "list the questions that have a name", (*shell).listQueries, nil},
		{"query", "NAME [PARAMETER=VALUE]...", "ask one", (*shell).query, (*shell).queryNames},
		{"mode", "[FORMAT]", "how rows are printed", (*shell).mode, func(s *shell) []string { return s.Formats }},
		{"once", "FILE", "write the next rows to a file", (*shell).once, nil},
		{"param", "[NAME[=VALUE]]", "the value of $NAME in SQL; without one it is forgotten", (*shell).param, nil},
		{"maxrows", "[N]", "stop after N rows; 0 prints all", (*shell).maxRows, nil},
		{"timing", "[on|off]", "say how long statements took", (*shell).timing, func(*shell) []string { return []string{"on", "off"} }},
		{"read", "FILE", "run the statements and commands of a file", (*shell).read, nil},
		{"quit", "", "leave; so do .exit and Ctrl-D", (*shell).quit, nil},
		{"exit", "", "", (*shell).quit, nil},
	}
}

// usage is a command that can't be meant.
func usage(c command) error {
	return fmt.Errorf("write .%s", strings.TrimSpace(c.name+" "+c.arguments))
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
	for _, c := range commands() {
		if c.does != "" {
			s.entry(fmt.Sprintf("  %-32s", strings.TrimSpace("."+c.name+" "+c.arguments)), c.does)
		}
	}
	fmt.Fprint(s.Out, `
SQL ends with a semicolon and may take several lines. Tab completes, Ctrl-R
searches what was entered, Ctrl-C ends a statement or empties the line. The
warehouse is open for one statement at a time, so that collectors can append:
what SET and CREATE TEMP do is gone with the statement.
`)
	return nil
}

// entry prints what something is called and what it is, the latter in a column
// of its own on as many lines as the terminal makes of it.
func (s *shell) entry(name, about string) {
	line, room := name, len(name)
	for word := range strings.FieldsSeq(about) {
		if width := s.Width(); len(line)+1+len(word) > width && len(line) > room && room+20 < width {
			fmt.Fprintln(s.Out, line)
			line = strings.Repeat(" ", room)
		}
		line += " " + word
	}
	fmt.Fprintln(s.Out, strings.TrimRight(line, " "))
}

func (s *shell) quit(context.Context, []string) error { return errQuit }

func (s *shell) listTables(_ context.Context, arguments []string) error {
	for _, t := range s.tables {
		if len(arguments) > 0 && !like(t.Name, arguments[0]) {
			continue
		}
		s.entry(fmt.Sprintf("%-18s %-6s", t.Name, t.Kind), t.Comment)
	}
	return nil
}

// like matches a name with a pattern in which * is any text.
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
		s.entry(t.Kind+" "+t.Name+":", t.Comment)
		for _, c := range t.Columns {
			s.entry(fmt.Sprintf("  %-28s %-12s", c.Name, c.Type), c.Comment)
		}
	}
	if !found && len(arguments) > 0 {
		return fmt.Errorf("no table %s: .tables lists them", arguments[0])
	}
	return nil
}

func (s *shell) listQueries(context.Context, []string) error {
	for _, n := range s.Named {
		s.entry(fmt.Sprintf("%-20s", n.Name), n.Title)
	}
	return nil
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
		return fmt.Errorf("%q is no number of rows", arguments[0])
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

// read runs a file: lines that begin with a dot outside of a statement are
// commands.
func (s *shell) read(ctx context.Context, arguments []string) error {
	if s.reading > 10 {
		return fmt.Errorf("read %s: files that read files are %d deep", arguments[0], s.reading)
	}
	info, err := os.Stat(arguments[0])
	if err == nil && info.Size() > maxScript {
		err = fmt.Errorf("it is longer than %d bytes", maxScript)
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
