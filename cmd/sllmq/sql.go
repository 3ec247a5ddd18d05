package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sllmq/sllmq/queries/resultset"
	"github.com/sllmq/sllmq/warehouse"
)

type sqlOptions struct {
	file   string
	write  bool
	format string
}

func newSQLCommand(env *environment) *cobra.Command {
	var o sqlOptions
	c := &cobra.Command{
		Use:   "sql [STATEMENT]",
		Short: "Ask the warehouse in SQL",
		Long: `Runs SQL (DuckDB's) over the warehouse and prints what it returns. Several
statements, separated by semicolons, run in order; the last one's rows are
printed. Without a statement it is read from --file, or from standard input.`,
		Example: `  sllmq sql "select * from summary"
  sllmq sql --format csv "from load_facts where not warmup" > loads.csv
  echo "select count(*) from loads" | sllmq sql`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{errors.New("more than one statement: put it in quotes")}
			}
			return o.run(cmd.Context(), env, args)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.file, "file", "f", "", "read the SQL from a file (- for standard input)")
	f.BoolVar(&o.write, "write", false, "let the statement change the warehouse")
	addFormatFlag(c, &o.format)
	return c
}

// addFormatFlag gives a command the formats of result sets.
func addFormatFlag(c *cobra.Command, format *string) {
	c.Flags().StringVar(format, "format", "table", strings.Join(resultset.Formats(), ", "))
	// It fails only for a flag that is not there.
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(resultset.Formats(), cobra.ShellCompDirectiveNoFileComp))
}

// checkFormat refuses a format that is not there before anything is opened.
func checkFormat(format string) error {
	for _, f := range resultset.Formats() {
		if f == format {
			return nil
		}
	}
	return &usageError{fmt.Errorf("no format %q: use one of %s", format, strings.Join(resultset.Formats(), ", "))}
}

func (o sqlOptions) run(ctx context.Context, env *environment, args []string) error {
	if err := checkFormat(o.format); err != nil {
		return err
	}
	statement, err := o.statement(env, args)
	if err != nil {
		return err
	}
	options := env.warehouseOptions()
	options.ReadOnly = !o.write
	db, err := warehouse.Open(ctx, env.warehouse, options)
	if err != nil {
		return err
	}
	return errors.Join(printQuery(ctx, env, db, o.format, statement), db.Close())
}

// maxSQL bounds what is read as SQL, in bytes.
const maxSQL = 16 << 20

func (o sqlOptions) statement(env *environment, args []string) (string, error) {
	in, name := env.stdin, "standard input"
	switch {
	case len(args) == 1 && o.file != "":
		return "", &usageError{errors.New("both a statement and --file: give one")}
	case len(args) == 1 && args[0] != "-":
		return args[0], nil
	case o.file != "" && o.file != "-":
		f, err := os.Open(o.file)
		if err != nil {
			return "", fmt.Errorf("read the SQL: %w", err)
		}
		defer f.Close()
		in, name = f, o.file
	case len(args) == 0 && o.file == "" && isTerminal(in):
		return "", &usageError{errors.New("no statement: give one in quotes, or --file, or pipe it in")}
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSQL+1))
	if err != nil {
		return "", fmt.Errorf("read the SQL from %s: %w", name, err)
	}
	if len(text) > maxSQL {
		return "", fmt.Errorf("read the SQL from %s: it is longer than %d bytes", name, maxSQL)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", &usageError{fmt.Errorf("%s holds no statement", name)}
	}
	return string(text), nil
}

// printQuery runs SQL and prints its rows.
func printQuery(ctx context.Context, env *environment, db *warehouse.DB, format, statement string, arguments ...any) error {
	rows, err := db.SQL().QueryContext(ctx, statement, arguments...)
	if err != nil {
		return sqlError(err)
	}
	err = resultset.Write(env.stdout, rows, resultset.Options{Format: format, Width: terminalWidth(env.stdout)})
	if err = errors.Join(err, rows.Close()); err != nil {
		return sqlError(err)
	}
	return nil
}

// caretText is how DuckDB shows a place: the line, and a caret under it.
var caretText = regexp.MustCompile(`(?s)^(.*?)\s*\n+LINE (\d+): (.*)\n( *)\^`)

// sqlError puts DuckDB's words on one line, the place as line and column.
func sqlError(err error) error {
	var e *duckdb.Error
	if !errors.As(err, &e) {
		return err
	}
	m := caretText.FindStringSubmatch(e.Msg)
	if m == nil {
		return err
	}
	column := len(m[4]) - len("LINE : ") - len(m[2]) + 1
	// DuckDB shows a window of long lines; the dots are not the person's.
	if strings.HasPrefix(m[3], "...") {
		return fmt.Errorf("line %s, near %s: %s", m[2], strings.Trim(m[3], ". "), m[1])
	}
	return fmt.Errorf("line %s, column %d: %s", m[2], column, m[1])
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalWidth is 0 where the stream is no terminal.
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
