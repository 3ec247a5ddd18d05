package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/render"
)

func newRunsCommand(env *environment) *cobra.Command {
	var listed, shown formatFlag
	list := &cobra.Command{
		Use:     "runs",
		Short:   "List runs, or show one",
		Example: "  sllmq runs\n  sllmq runs show 019a2b3c",
		Args:    knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listRuns(cmd.Context(), env, listed.name)
		},
	}
	listed.add(list, render.Formats()...)
	show := &cobra.Command{
		Use:     "show RUN",
		Short:   "Show a run, its machine and its loads",
		Example: "  sllmq runs show 019a2b3c",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{errors.New("name one run, by its id or the beginning of it")}
			}
			return showRun(cmd.Context(), env, shown.name, args[0])
		},
	}
	shown.add(show, render.Formats()...)
	list.AddCommand(show)
	return list
}

func listRuns(ctx context.Context, env *environment, format string) error {
	db, err := env.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(printQuery(ctx, env, db, format, queries.RunsSQL), db.Close())
}

// showRun prints, for people, the facts of a run and of its machine, and then
// its loads in a few columns; in other formats, its loads in all columns.
func showRun(ctx context.Context, env *environment, format, prefix string) (err error) {
	db, err := env.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	id, err := queries.FindRun(ctx, db.SQL(), prefix)
	if err != nil {
		return err
	}
	run := sql.Named("run", id)
	if format != render.FormatTable {
		return printQuery(ctx, env, db, format, queries.RunLoadFactsSQL, run)
	}
	for _, about := range []struct {
		name string
		ask  func(context.Context, *sql.DB, string) ([]queries.Fact, error)
	}{{"run", queries.RunFacts}, {"machine", queries.MachineFacts}} {
		facts, err := about.ask(ctx, db.SQL(), id)
		if err != nil {
			return err
		}
		t := render.Table{Indent: 2, Gap: 1, Columns: []render.Column{{Width: 20}, {}}}
		for _, f := range facts {
			t.Row(f.Name, f.Value)
		}
		fmt.Fprintln(env.stdout, about.name)
		if err := t.Write(env.stdout); err != nil {
			return err
		}
		fmt.Fprintln(env.stdout)
	}
	return printQuery(ctx, env, db, format, queries.RunLoadsSQL, run)
}
