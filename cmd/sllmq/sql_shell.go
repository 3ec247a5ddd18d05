package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/render"
	"github.com/sllmq/sllmq/queries/shell"
	"github.com/sllmq/sllmq/queries/stream"
	"github.com/sllmq/sllmq/warehouse"
)

// shell runs sql without a statement, on a terminal.
func (o *sqlOptions) shell(ctx context.Context, env *environment) error {
	if o.file != "" {
		return &usageError{errors.New("-o is for a statement: use .once in the shell")}
	}
	named, err := queries.NamedQueries(o.folder)
	if err != nil {
		return err
	}
	parameters := map[string]string{}
	for _, pair := range o.parameters {
		name, value, _ := strings.Cut(pair, "=") // validated before
		parameters[strings.TrimPrefix(name, "$")] = value
	}
	access := "read-only"
	switch {
	case o.write:
		access = "writable"
	case o.safe:
		access = "read-only, safe"
	}
	return shell.Run(ctx, shell.Options{
		Warehouse: &shellWarehouse{o, env},
		Settings:  shell.Settings{Format: o.format.name, MaxRows: o.maxRows, Timing: o.timing, Parameters: parameters},
		Formats:   render.Formats(),
		Named:     named,
		History:   historyFile(env.getenv),
		Greeting:  fmt.Sprintf("%s (%s). Type .help", env.warehouse, access),
		Out:       env.stdout,
		Width:     func() int { return terminalWidth(env.stdout) },
		Complain:  env.complain,
	})
}

// historyFile returns the file of past entries, in XDG's state folder; empty if
// there is no home folder.
func historyFile(getenv func(string) string) string {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // the specification says to ignore others
		home := getenv("HOME")
		if home == "" {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "sllmq", "sql_history")
}

// shellWarehouse opens the warehouse for each statement of a shell.
type shellWarehouse struct {
	o   *sqlOptions
	env *environment
}

// Ask runs a statement with the shell's settings in place of the flags.
func (w *shellWarehouse) Ask(ctx context.Context, statement string, arguments []any, s shell.Settings) error {
	o := *w.o
	o.resultFlags = resultFlags{format: formatFlag{name: s.Format}, file: s.File, maxRows: s.MaxRows, timing: s.Timing, timeout: o.timeout}
	if format := formatOf(s.File); format != "" {
		o.format.name = format
	}
	if err := refuseBinary(w.env, o.format.name, o.file); err != nil {
		return err
	}
	for name, value := range s.Parameters {
		arguments = append(arguments, sql.Named(name, stream.Literal(value)))
	}
	return o.ask(ctx, w.env, statement, stream.Options{Arguments: arguments, Spare: true})
}

// Catalog lists the tables.
func (w *shellWarehouse) Catalog(ctx context.Context) (_ []queries.Table, err error) {
	db, err := w.env.store().Open(ctx, warehouse.Access{Write: w.o.write})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return queries.Catalog(ctx, db.SQL())
}
