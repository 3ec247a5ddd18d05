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
	exitUnclear     = 6 // check: there is too little to tell
	exitInterrupted = 130
)

// usageError is a command line that can't be meant.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// partialError says that some loads failed.
type partialError struct{ failed, loads int }

func (e *partialError) Error() string {
	return fmt.Sprintf("%d of %d loads failed; their errors are in load_facts", e.failed, e.loads)
}

// timeoutError says that an answer did not come in time.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("no answer within --timeout %s", e.limit)
}

// errInterrupted says that a signal ended the command.
var errInterrupted = errors.New("interrupted; what was measured is kept")

// exitCode says what went wrong, in one line, and which code that is.
func exitCode(env *environment, cmd *cobra.Command, err error) int {
	var usage *usageError
	var partial *partialError
	var verdict *verdictError
	var late *timeoutError
	switch {
	case err == nil:
		return exitDone
	case isReaderGone(err):
		return exitDone // whoever read has had enough
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"):
		env.complain(err)
		env.say("run '" + cmd.CommandPath() + " --help' for what there is")
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

// isReaderGone says whether nobody reads this program's own output any more; a
// connection that broke is another matter.
func isReaderGone(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Path == os.Stdout.Name() && errors.Is(path, syscall.EPIPE)
}

// complain puts an error on one line; with --debug, its chain below it.
func (env *environment) complain(err error) {
	env.say("sllmq: " + strings.Join(strings.Fields(err.Error()), " "))
	if !env.debug {
		return
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		env.say(fmt.Sprintf("  %T: %v", e, e))
	}
}

// say writes a line to people. If they can't be reached there is nobody to
// tell.
func (env *environment) say(line string) { fmt.Fprintln(plain{env.stderr}, line) }

// flagError says what is wrong with a flag's value without the words of Go's own
// parsers.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	var number *strconv.NumError
	if !errors.As(err, &invalid) || !errors.As(err, &number) {
		return err
	}
	what := "is no number"
	if errors.Is(number, strconv.ErrRange) {
		what = "is too large a number"
	}
	if invalid.GetFlag().Value.Type() == "bool" {
		what = "is neither true nor false"
	}
	return fmt.Errorf("--%s %q %s", invalid.GetFlag().Name, invalid.GetValue(), what)
}

// noArguments refuses what stands behind the flags.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{fmt.Errorf("%q is one argument too many; a flag that is on or off takes its value after =", args[0])}
}
