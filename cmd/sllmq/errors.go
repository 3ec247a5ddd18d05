package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sllmq/sllmq/internal/text"
	"github.com/sllmq/sllmq/queries/stats"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartial     = 3 // some loads failed; their rows are kept
	exitTimeout     = 4 // sql, query: no answer within --timeout
	exitRegression  = 5 // check: loading became slower
	exitUnclear     = 6 // check: too little to tell
	exitInterrupted = 130
)

// usageError reports a command line that makes no sense.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// partialError reports that some loads failed.
type partialError struct{ failed, loads int }

func (e *partialError) Error() string {
	return fmt.Sprintf("%d of %d loads failed; their errors are in load_facts", e.failed, e.loads)
}

// timeoutError reports that an answer did not come in time.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("no answer within --timeout %s", e.limit)
}

// verdictError reports that a check did not pass. The verdict is printed
// already.
type verdictError struct{ verdict stats.Verdict }

func (e *verdictError) Error() string { return e.verdict.String() }

// errInterrupted reports that a signal ended a benchmark.
var errInterrupted = errors.New("interrupted; finished measurements are kept")

// exitCode prints an error and returns the exit code that stands for it.
func exitCode(env *environment, cmd *cobra.Command, err error) int {
	var usage *usageError
	var partial *partialError
	var verdict *verdictError
	var late *timeoutError
	switch {
	case err == nil:
		return exitDone
	case isReaderGone(err):
		return exitDone // the reader, such as head, has read enough
	case errors.As(err, &usage):
		env.complain(err)
		env.say("run '" + cmd.CommandPath() + " --help' for usage")
		return exitUsage
	case errors.As(err, &late):
		env.complain(err)
		return exitTimeout
	case errors.As(err, &verdict):
		if verdict.verdict == stats.Regression {
			return exitRegression
		}
		return exitUnclear
	case errors.As(err, &partial):
		env.complain(err)
		return exitPartial
	case errors.Is(err, errInterrupted):
		env.complain(errInterrupted)
		return exitInterrupted
	case errors.Is(err, context.Canceled):
		env.complain(errors.New("interrupted"))
		return exitInterrupted
	default:
		env.complain(err)
		return exitFailed
	}
}

// isReaderGone reports whether nobody reads this program's standard output any
// more. Other connections that break are errors.
func isReaderGone(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Path == os.Stdout.Name() && errors.Is(path, syscall.EPIPE)
}

// complain prints an error on one line; with --debug, its chain below it.
func (env *environment) complain(err error) {
	env.say("sllmq: " + strings.Join(strings.Fields(err.Error()), " "))
	if !env.debug {
		return
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		env.say(fmt.Sprintf("  %T: %v", e, e))
	}
}

// say prints a line for people. If it fails there is nobody to tell.
func (env *environment) say(line string) { fmt.Fprintln(env.stderr, text.Printable(line)) }

// flagError words what is wrong with a flag's value, without the words of Go's
// parsers.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	var number *strconv.NumError
	var format *formatError
	switch {
	case errors.As(err, &format):
		return format
	case !errors.As(err, &invalid) || !errors.As(err, &number):
		return err
	}
	problem := "is not a number"
	if errors.Is(number, strconv.ErrRange) {
		problem = "is out of range"
	}
	if invalid.GetFlag().Value.Type() == "bool" {
		problem = "is neither true nor false"
	}
	return fmt.Errorf("--%s %q %s", invalid.GetFlag().Name, invalid.GetValue(), problem)
}

// noArguments is for commands that have flags only.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{fmt.Errorf("unexpected argument %q (a boolean flag takes its value after =)", args[0])}
}

// knownCommand is for commands that have subcommands, and whose arguments are
// therefore misspelt ones. Cobra's own error for them has no type.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(similar, " or "))
	}
	return &usageError{err}
}
