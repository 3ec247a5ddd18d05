package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sllmq/sllmq/internal/atomicfile"
	"github.com/sllmq/sllmq/internal/text"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/render"
	"github.com/sllmq/sllmq/queries/stream"
	"github.com/sllmq/sllmq/warehouse"
)

// answer asks the warehouse, which is open for as long as that takes. A column
// that there is not to compare by is a usage error.
func answer[T any](ctx context.Context, env *environment, ask func(context.Context, *sql.DB) (T, error)) (T, error) {
	var none T
	db, err := env.open(ctx)
	if err != nil {
		return none, err
	}
	answered, err := ask(ctx, db.SQL())
	err = errors.Join(err, db.Close())
	var column *queries.NoColumnError
	switch {
	case errors.As(err, &column):
		return none, &usageError{err}
	case err != nil:
		return none, err
	}
	return answered, nil
}

// resultFlags are how SQL runs and where its rows go.
type resultFlags struct {
	format  formatFlag
	file    string
	maxRows int64
	timing  bool
	timeout time.Duration
}

// add gives a command the flags.
func (o *resultFlags) add(c *cobra.Command) {
	o.format.add(c, render.Formats()...)
	f := c.Flags()
	f.StringVarP(&o.file, "output", "o", "", "write to a file, which appears when it is complete; its ending selects the format")
	f.Int64Var(&o.maxRows, "max-rows", 0, "stop after this many rows, with a note (0: all)")
	f.BoolVar(&o.timing, "timing", false, "print the elapsed time on standard error")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this long, with exit code 4 (30s, 5m; 0: never)")
}

// check completes the flags and validates them.
func (o *resultFlags) check(env *environment, flags *pflag.FlagSet) error {
	if o.maxRows < 0 {
		return &usageError{fmt.Errorf("--max-rows must not be negative: %d", o.maxRows)}
	}
	if o.timeout < 0 {
		return &usageError{fmt.Errorf("--timeout must be positive: %s", o.timeout)}
	}
	if format := formatOf(o.file); o.format.has(format) && !flags.Changed("format") {
		o.format.name = format
	}
	return refuseBinary(env, o.format.name, o.file)
}

// formatOf returns the format that a file's ending selects; empty if none.
func formatOf(file string) string {
	return render.FormatOfEnding(strings.ToLower(strings.TrimPrefix(filepath.Ext(file), ".")))
}

// refuseBinary keeps binary formats from a terminal.
func refuseBinary(env *environment, format, file string) error {
	if render.Binary(format) && file == "" && isTerminal(env.stdout) {
		return &usageError{fmt.Errorf("format %s is not for a terminal: use -o FILE, or a pipe", format)}
	}
	return nil
}

// ask opens the warehouse and runs SQL.
func (o *resultFlags) ask(ctx context.Context, env *environment, access warehouse.Access, statement string, q stream.Options) error {
	if o.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, o.timeout, &timeoutError{o.timeout})
		defer stop()
	}
	db, err := env.store().Open(ctx, access)
	if err == nil {
		err = o.write(ctx, env, db, statement, q)
		err = errors.Join(err, db.Close())
	}
	var late *timeoutError
	if err != nil && errors.As(context.Cause(ctx), &late) {
		return late
	}
	return err
}

// write runs SQL and writes its rows.
func (o *resultFlags) write(ctx context.Context, env *environment, db *warehouse.DB, statement string, q stream.Options) error {
	begun := time.Now()
	rows, err := stream.Query(ctx, db.SQL(), statement, q)
	if err != nil {
		return hint(err)
	}
	var written render.Written
	switch {
	case !rows.Returns():
		for rows.Next() { // it does its work as it is read
		}
		if err = rows.Err(); err == nil && rows.Changed() > 0 {
			env.say(text.Count(rows.Changed(), "row") + " changed")
		}
	case o.file == "":
		written, err = render.Write(env.stdout, rows, o.writing(terminalWidth(env.stdout)))
	default:
		err = atomicfile.Write(o.file, func(w io.Writer) error {
			written, err = render.Write(w, rows, o.writing(0))
			return err
		})
	}
	if err = errors.Join(err, rows.Close()); err != nil {
		return err
	}
	if written.Cut {
		env.say(fmt.Sprintf("first %s of more (--max-rows)", text.Count(written.Rows, "row")))
	}
	if o.timing {
		env.say(fmt.Sprintf("%s in %.3f s", text.Count(written.Rows, "row"), time.Since(begun).Seconds()))
	}
	return nil
}

// hint adds to an error what to do about it.
func hint(err error) error {
	var argument *stream.ArgumentError
	var kind *stream.KindError
	switch {
	case errors.As(err, &argument) && argument.Missing():
		return fmt.Errorf("%w: use --param %s=VALUE", err, strings.TrimPrefix(argument.Parameter, "$"))
	case errors.As(err, &kind):
		return fmt.Errorf("%w: --safe allows SELECT, its short forms, and EXPLAIN", err)
	}
	return err
}

func (o *resultFlags) writing(width int) render.Options {
	return render.Options{Format: o.format.name, Width: width, MaxRows: o.maxRows}
}

// printQuery runs SQL of our own and prints its rows.
func printQuery(ctx context.Context, env *environment, db *warehouse.DB, format, statement string, arguments ...any) error {
	if err := refuseBinary(env, format, ""); err != nil {
		return err
	}
	o := resultFlags{format: formatFlag{name: format}}
	return o.write(ctx, env, db, statement, stream.Options{Arguments: arguments})
}
