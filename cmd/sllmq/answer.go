package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sllmq/sllmq/internal/atomicfile"
	"github.com/sllmq/sllmq/queries/render"
	"github.com/sllmq/sllmq/queries/stream"
	"github.com/sllmq/sllmq/warehouse"
)

// answerFlags are how a question is asked, and its rows handed over.
type answerFlags struct {
	format  string
	file    string
	maxRows int64
	timing  bool
	timeout time.Duration
}

// addFormatFlag gives a command the formats of result sets.
func addFormatFlag(c *cobra.Command, format *string) {
	c.Flags().StringVar(format, "format", "table", strings.Join(render.Formats(), ", "))
	// It fails only for a flag that is not there.
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(render.Formats(), cobra.ShellCompDirectiveNoFileComp))
}

// add gives a command the format and all else.
func (o *answerFlags) add(c *cobra.Command) {
	addFormatFlag(c, &o.format)
	f := c.Flags()
	f.StringVarP(&o.file, "output", "o", "", "write to a file, which appears whole or not at all; its ending says the format")
	f.Int64Var(&o.maxRows, "max-rows", 0, "stop after so many rows, and say so (0: all)")
	f.BoolVar(&o.timing, "timing", false, "say on standard error how long it took")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this long, with exit code 4 (30s, 5m; 0: never)")
}

// checkFormat refuses a format that is not there before anything is opened.
func checkFormat(format string) error {
	if slices.Contains(render.Formats(), format) {
		return nil
	}
	return &usageError{fmt.Errorf("no format %q: use one of %s", format, strings.Join(render.Formats(), ", "))}
}

// check completes the flags, and refuses what can't be meant.
func (o *answerFlags) check(env *environment, flags *pflag.FlagSet) error {
	if o.maxRows < 0 {
		return &usageError{fmt.Errorf("--max-rows %d is less than no rows", o.maxRows)}
	}
	if o.timeout < 0 {
		return &usageError{fmt.Errorf("--timeout %s is over before it begins", o.timeout)}
	}
	if format := formatOf(o.file); format != "" && !flags.Changed("format") {
		o.format = format
	}
	if err := checkFormat(o.format); err != nil {
		return err
	}
	return refuseBinary(env, o.format, o.file)
}

// formatOf is the format that a file's ending names; none for others.
func formatOf(file string) string {
	ending := strings.ToLower(strings.TrimPrefix(filepath.Ext(file), "."))
	switch ending {
	case "md":
		return "markdown"
	case "ndjson":
		return "jsonl"
	case "arrows":
		return "arrow"
	}
	if slices.Contains(render.Formats(), ending) {
		return ending
	}
	return ""
}

// refuseBinary keeps bytes that are not text from a terminal.
func refuseBinary(env *environment, format, file string) error {
	if render.Binary(format) && file == "" && isTerminal(env.stdout) {
		return &usageError{fmt.Errorf("format %s is not for a terminal: give -o FILE, or a pipe", format)}
	}
	return nil
}

// ask has the warehouse open for as long as the SQL runs.
func (o *answerFlags) ask(ctx context.Context, env *environment, access warehouse.Access, statement string, q stream.Options) error {
	if o.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, o.timeout, &timeoutError{o.timeout})
		defer stop()
	}
	db, err := env.store().Open(ctx, access)
	if err == nil {
		err = o.answer(ctx, env, db, statement, q)
		err = errors.Join(err, db.Close())
	}
	var late *timeoutError
	if err != nil && errors.As(context.Cause(ctx), &late) {
		return late
	}
	return err
}

// answer runs SQL and hands its rows over.
func (o *answerFlags) answer(ctx context.Context, env *environment, db *warehouse.DB, statement string, q stream.Options) error {
	begun := time.Now()
	rows, err := stream.Query(ctx, db.SQL(), statement, q)
	if err != nil {
		return hint(err)
	}
	var written render.Written
	switch {
	case !rows.Returns():
		for rows.Next() { // to the end of what it does
		}
		if err = rows.Err(); err == nil && rows.Changed() > 0 {
			env.say(howMany(rows.Changed(), "row") + " changed")
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
		env.say(fmt.Sprintf("the first %s; there are more (--max-rows)", howMany(written.Rows, "row")))
	}
	if o.timing {
		env.say(fmt.Sprintf("%s in %.3f s", howMany(written.Rows, "row"), time.Since(begun).Seconds()))
	}
	return nil
}

// hint says what to do about what a statement was refused for.
func hint(err error) error {
	var argument *stream.ArgumentError
	var kind *stream.KindError
	switch {
	case errors.As(err, &argument) && argument.Missing():
		return fmt.Errorf("%w: give it with --param %s=VALUE", err, strings.TrimPrefix(argument.Parameter, "$"))
	case errors.As(err, &kind):
		return fmt.Errorf("%w: --safe runs SELECT and what is short for it, and EXPLAIN", err)
	}
	return err
}

func (o *answerFlags) writing(width int) render.Options {
	return render.Options{Format: o.format, Width: width, MaxRows: o.maxRows}
}

// printQuery runs SQL of our own and prints its rows.
func printQuery(ctx context.Context, env *environment, db *warehouse.DB, format, statement string, arguments ...any) error {
	if err := refuseBinary(env, format, ""); err != nil {
		return err
	}
	o := answerFlags{format: format}
	return o.answer(ctx, env, db, statement, stream.Options{Arguments: arguments})
}

// howMany says how many of something there are.
func howMany(n int64, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
