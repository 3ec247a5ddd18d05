// Package shell is an interactive prompt for SQL over a warehouse. It edits lines,
// keeps their history, completes names, and has commands that begin with a dot.
// It passes each statement to a Warehouse, which opens and closes for it, so that
// nothing is open or locked while the prompt waits.
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

// Warehouse runs statements. It is open only during each call.
type Warehouse interface {
	// Ask runs one statement and prints its rows.
	Ask(ctx context.Context, statement string, arguments []any, s Settings) error
	// Catalog lists the tables.
	Catalog(ctx context.Context) ([]queries.Table, error)
}

// Settings are what the commands change.
type Settings struct {
	Format     string
	File       string // for the next rows; empty: the terminal
	MaxRows    int64
	Timing     bool
	Parameters map[string]string
}

// Options are the options of Run.
type Options struct {
	Warehouse Warehouse
	Settings  Settings
	Formats   []string
	Named     []queries.Named
	History   string // file of past entries; empty: keep none
	Greeting  string
	Out       io.Writer
	Width     func() int  // the terminal's, in columns
	Complain  func(error) // prints an error on one line
}

// Run reads and runs entries until there are no more, on the terminal that is the
// program's standard input and output. Ctrl-C ends a statement or clears the line.
// SIGTERM and SIGHUP end the shell.
func Run(ctx context.Context, o Options) error {
	s := &shell{Options: o}
	tables, err := o.Warehouse.Catalog(ctx)
	if err != nil {
		return err
	}
	s.tables = tables
	past, err := openHistory(o.History)
	if err != nil {
		o.Complain(err) // the shell works without history
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
	// Ctrl-C at a statement ends ctx, but must not end the shell.
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

// await waits for an entry, or for a signal to end, which is context.Canceled.
// The terminal is then still in the editor's mode, and must be restored.
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
	reading int // nesting depth of .read
}

// enter runs an entry: a command, or statements in turn until one fails.
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

// script runs statements in turn. The last semicolon may be missing.
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
