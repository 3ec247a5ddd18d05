package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
)

type summaryOptions struct {
	filterFlags
	format  string
	showSQL bool
}

func newSummaryCommand(env *environment) *cobra.Command {
	var o summaryOptions
	c := &cobra.Command{
		Use:   "summary",
		Short: "Sum up loading times by model, benchmark type, format and loader",
		Example: `  sllmq summary --model synthetic/opt-125m --benchmark-type random
  sllmq summary --tag host=a --since 2026-11-01 --format csv`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	o.add(c.Flags())
	c.Flags().BoolVar(&o.showSQL, "show-sql", false, "print the SQL, ready to be pasted into DuckDB")
	addFormatFlag(c, &o.format)
	return c
}

func (o summaryOptions) run(ctx context.Context, env *environment) (err error) {
	if err := checkFormat(o.format); err != nil {
		return err
	}
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
	if o.format != "table" {
		statement, arguments := queries.SummarySQL(filter)
		return printQuery(ctx, env, db, o.format, statement, arguments...)
	}
	rows, err := queries.Summary(ctx, db.SQL(), filter)
	if err != nil {
		return err
	}
	return writeSummary(env.stdout, rows)
}
