// Package shell is the prompt at which people ask a warehouse in SQL. It edits
// lines, keeps their history, completes names, and knows commands that begin
// with a dot; what a statement means is left to whoever it is given to, so that
// nothing is open, and nothing locked, while the prompt waits.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/reeflective/readline"
	"golang.org/x/term"

	"github.com/sllmq/sllmq/queries"
)

// Warehouse is what is asked. Each call has it open for its own length.
type Warehouse interface {
	// Ask runs one statement and prints its rows.
	Ask(ctx context.Context, statement string, arguments []any, s Settings) error
	// Catalog lists the tables.
	Catalog(ctx context.Context) ([]queries.Table, error)
}

// Settings are what commands with a dot change.
type Settings struct {
	Format     string
	File       string // where the next rows go; "" is the terminal
	MaxRows    int64
	Timing     bool
	Parameters map[string]string
}

// Options are a shell's beginnings.
type Options struct {
	Warehouse Warehouse
	Settings  Settings
	Formats   []string
	Named     []queries.Named
	History   string // the file of past entries; "" keeps none
	Greeting  string
	Out       io.Writer
	Width     func() int  // the terminal's, in columns
	Complain  func(error) // says on one line what went wrong
}

// Run asks for entries until there are no more, on the terminal that is the
// program's standard input and output. Ctrl-C ends a statement, or empties the
// line; it is the end of the shell that ends ctx's other signals.
func Run(ctx context.Context, o Options) error {
	s := &shell{Options: o}
	tables, err := o.Warehouse.Catalog(ctx)
	if err != nil {
		return err
	}
	s.tables = tables
	past, err := openHistory(o.History)
	if err != nil {
		o.Complain(err) // and go on without
	}
	editor := s.editor(past)
	before, err := term.GetState(int(os.Stdin.Fd()))
	if err != nil {
		return fmt.Errorf("read the terminal's state: %w", err)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(ended)
	fmt.Fprintln(o.Out, o.Greeting)
	// Ctrl-C at a statement ends the context that came in, and not the shell.
	ctx = context.WithoutCancel(ctx)
	for {
		entry, err := await(editor, ended)
		switch {
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return errors.Join(err, term.Restore(int(os.Stdin.Fd()), before))
		}
		if quit := s.enter(ctx, entry); quit {
			return nil
		}
	}
}

// await waits for an entry, or for a signal that wants the program to end, which
// is context.Canceled. The terminal is the editor's then, and has to be put
// right.
func await(editor *editor, ended <-chan os.Signal) (entry string, err error) {
	done := make(chan struct{})
	go func() {
		entry, err = editor.Readline()
		close(done)
	}()
	select {
	case <-done:
		return entry, err
	case <-ended:
		return "", context.Canceled
	}
}

type shell struct {
	Options
	tables  []queries.Table
	reading int // how many files deep .read is
}

// enter does what an entry says: a command, or statements in turn until one
// goes wrong.
func (s *shell) enter(ctx context.Context, entry string) (quit bool) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	err := s.do(ctx, entry)
	switch {
	case errors.Is(err, errQuit):
		return true
	case err != nil && ctx.Err() != nil:
		s.Complain(errors.New("interrupted"))
	case err != nil:
		s.Complain(err)
	}
	return false
}

func (s *shell) do(ctx context.Context, entry string) error {
	if line := strings.TrimSpace(entry); strings.HasPrefix(line, ".") {
		return s.command(ctx, line)
	}
	return s.script(ctx, entry)
}

// script runs statements in turn; the last one's semicolon may be missing.
func (s *shell) script(ctx context.Context, text string) error {
	statements, rest := Split(text)
	if !Blank(rest) {
		statements = append(statements, rest)
	}
	for _, statement := range statements {
		if err := s.ask(ctx, statement, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *shell) ask(ctx context.Context, statement string, arguments []any) error {
	settings := s.Settings
	s.Settings.File = ""
	return s.Warehouse.Ask(ctx, statement, arguments, settings)
}
