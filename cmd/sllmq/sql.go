package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sllmq/sllmq/queries/stream"
	"github.com/sllmq/sllmq/warehouse"
)

type sqlOptions struct {
	resultFlags
	source     string
	write      bool
	safe       bool
	parameters []string
	folder     string
}

func newSQLCommand(env *environment) *cobra.Command {
	var o sqlOptions
	c := &cobra.Command{
		Use:   "sql [STATEMENT]",
		Short: "Run SQL, or open a shell",
		Long: `Run SQL, DuckDB's dialect, over the warehouse and print the rows as they come.
Several statements, separated by semicolons, run in order; the rows of the last
are printed. Without a statement, sllmq reads it from --file or from standard
input; on a terminal, it opens a shell, where .help lists the commands.

On a terminal, tables are cut to its width; in a pipe nothing is cut. --param
NAME=VALUE binds a value to $NAME in the SQL, with the type that its place
needs. --safe is for other people's SQL: it allows only queries, and no files
other than the warehouse, no extensions and no settings.`,
		Example: `  sllmq sql "select * from summary"
  sllmq sql "from load_facts where model like \$m" --param m='facebook/%' -o loads.parquet
  sllmq sql --format arrow "from load_facts" | python -c 'import pyarrow.ipc, sys
  print(pyarrow.ipc.open_stream(sys.stdin.buffer).read_pandas())'
  n=$(sllmq sql --format value "select count(*) from loads")`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{errors.New("more than one argument: put the statement in quotes")}
			}
			if err := o.check(env, cmd.Flags()); err != nil {
				return err
			}
			return o.run(cmd.Context(), env, args)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.source, "file", "f", "", "read the SQL from a file (- for standard input)")
	f.BoolVar(&o.write, "write", false, "allow statements to change the warehouse")
	f.BoolVar(&o.safe, "safe", false, "allow only queries of the warehouse itself")
	f.StringArrayVar(&o.parameters, "param", nil, "NAME=VALUE, the value of $NAME in the SQL (repeatable)")
	f.StringVar(&o.folder, "queries", env.getenv("SLLMQ_QUERIES"), "folder with .sql files of your own, for the shell ($SLLMQ_QUERIES)")
	o.resultFlags.add(c)
	return c
}

func (o *sqlOptions) run(ctx context.Context, env *environment, args []string) error {
	if o.safe && o.write {
		return &usageError{errors.New("--safe and --write exclude each other")}
	}
	arguments, err := parseParameters(o.parameters)
	if err != nil {
		return err
	}
	if len(args) == 0 && o.source == "" && isTerminal(env.stdin) && isTerminal(env.stdout) {
		return o.shell(ctx, env)
	}
	statement, err := o.statement(env, args)
	if err != nil {
		return err
	}
	return o.ask(ctx, env, statement, stream.Options{Arguments: arguments})
}

// ask runs SQL with the access that the flags give.
func (o *sqlOptions) ask(ctx context.Context, env *environment, statement string, q stream.Options) error {
	q.ReadOnly = o.safe
	access := warehouse.Access{Write: o.write, Safe: o.safe}
	return o.resultFlags.ask(ctx, env, access, statement, q)
}

// parseParameters reads NAME=VALUE pairs.
func parseParameters(pairs []string) ([]any, error) {
	var arguments []any
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, &usageError{fmt.Errorf("--param %q is not NAME=VALUE", pair)}
		}
		arguments = append(arguments, sql.Named(strings.TrimPrefix(name, "$"), stream.Literal(value)))
	}
	return arguments, nil
}

// maxSQL bounds what is read as SQL, in bytes.
const maxSQL = 16 << 20

func (o *sqlOptions) statement(env *environment, args []string) (string, error) {
	in, name := env.stdin, "standard input"
	switch {
	case len(args) == 1 && o.source != "":
		return "", &usageError{errors.New("a statement and --file exclude each other")}
	case len(args) == 1 && args[0] != "-":
		return args[0], nil
	case o.source != "" && o.source != "-":
		f, err := os.Open(o.source)
		if err != nil {
			return "", fmt.Errorf("read the SQL: %w", err)
		}
		defer f.Close()
		in, name = f, o.source
	case len(args) == 0 && o.source == "" && isTerminal(in):
		return "", &usageError{errors.New("no statement: use an argument in quotes, --file or a pipe; the shell needs a terminal for its output")}
	}
	return readSQL(in, name)
}

func readSQL(in io.Reader, name string) (string, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxSQL+1))
	if err != nil {
		return "", fmt.Errorf("read the SQL from %s: %w", name, err)
	}
	if len(text) > maxSQL {
		return "", fmt.Errorf("read the SQL from %s: longer than %d bytes", name, maxSQL)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", &usageError{fmt.Errorf("%s has no statement", name)}
	}
	return string(text), nil
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalWidth returns the width of a terminal in columns; 0 if the stream is
// not a terminal.
func terminalWidth(stream any) int {
	if !isTerminal(stream) {
		return 0
	}
	width, _, err := term.GetSize(int(stream.(*os.File).Fd()))
	if err != nil {
		return 80
	}
	return width
}
