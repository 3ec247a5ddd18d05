package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/render"
)

type summaryOptions struct {
	filterFlags
	format  formatFlag
	showSQL bool
}

func newSummaryCommand(env *environment) *cobra.Command {
	var o summaryOptions
	c := &cobra.Command{
		Use:   "summary",
		Short: "Summarize loading times by model, type, format and loader",
		Example: `  sllmq summary --model synthetic/opt-125m --benchmark-type random
  sllmq summary --tag host=a --since 2026-11-01 --format csv`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	o.add(c.Flags())
	c.Flags().BoolVar(&o.showSQL, "show-sql", false, "print the SQL, to paste into DuckDB")
	o.format.add(c, render.Formats()...)
	return c
}

func (o summaryOptions) run(ctx context.Context, env *environment) (err error) {
	filter, err := o.parse()
	if err != nil {
		return err
	}
	if o.showSQL {
		text, err := queries.Paste("summary", filter)
		if err == nil {
			_, err = io.WriteString(env.stdout, text)
		}
		return err
	}
	db, err := env.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if o.format.name != render.FormatTable {
		statement, arguments := queries.SummarySQL(filter)
		return printQuery(ctx, env, db, o.format.name, statement, arguments...)
	}
	rows, err := queries.Summary(ctx, db.SQL(), filter)
	if err != nil {
		return err
	}
	return render.Summary(env.stdout, rows)
}
