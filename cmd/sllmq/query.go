package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/render"
	"github.com/sllmq/sllmq/queries/stream"
	"github.com/sllmq/sllmq/warehouse"
)

type queryOptions struct {
	resultFlags
	folder     string
	parameters []string
	showSQL    bool
}

func newQueryCommand(env *environment) *cobra.Command {
	var o queryOptions
	c := &cobra.Command{
		Use:     "query [NAME]",
		Short:   "Run or list saved queries",
		Example: "  sllmq query\n  sllmq query efficiency --param model='synthetic/%'\n  sllmq query trend --show-sql\n  sllmq query stages -o stages.parquet",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{errors.New("name one query only")}
			}
			if err := o.check(env, cmd.Flags()); err != nil {
				return err
			}
			return o.run(cmd.Context(), env, args)
		},
	}
	f := c.Flags()
	f.StringVar(&o.folder, "queries", env.getenv("SLLMQ_QUERIES"), "folder with .sql files of your own ($SLLMQ_QUERIES)")
	f.StringArrayVar(&o.parameters, "param", nil, "NAME=VALUE of a parameter (repeatable)")
	f.BoolVar(&o.showSQL, "show-sql", false, "print the SQL, to paste into DuckDB")
	o.resultFlags.add(c)
	return c
}

func (o queryOptions) run(ctx context.Context, env *environment, args []string) error {
	named, err := queries.NamedQueries(o.folder)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return listQueries(env, named)
	}
	i := slices.IndexFunc(named, func(n queries.Named) bool { return n.Name == args[0] })
	if i < 0 {
		return &usageError{fmt.Errorf("no query %q: sllmq query lists them", args[0])}
	}
	values := map[string]string{}
	for _, p := range o.parameters {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return &usageError{fmt.Errorf("--param %q is not NAME=VALUE", p)}
		}
		values[name] = value
	}
	arguments, err := named[i].Arguments(values)
	if err != nil {
		return &usageError{err}
	}
	if o.showSQL {
		_, err := fmt.Fprint(env.stdout, named[i].Paste(values))
		return err
	}
	return o.ask(ctx, env, warehouse.Access{}, named[i].SQL, stream.Options{Arguments: arguments})
}

func listQueries(env *environment, named []queries.Named) error {
	t := render.Table{Gap: 1, Columns: []render.Column{{Width: 20}, {}}}
	for _, n := range named {
		t.Row(n.Name, n.Title)
	}
	t.Line("\nRun one with sllmq query NAME --param NAME=VALUE; print it with --show-sql.")
	return t.Write(env.stdout)
}
