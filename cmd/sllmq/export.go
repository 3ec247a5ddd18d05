package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/internal/text"
	"github.com/sllmq/sllmq/queries/render"
	"github.com/sllmq/sllmq/warehouse/lake"
	"github.com/sllmq/sllmq/warehouse/schema"
)

type exportOptions struct {
	lake.ExportOptions
	to string
}

func newExportCommand(env *environment) *cobra.Command {
	var o exportOptions
	c := &cobra.Command{
		Use:   "export --to DIR",
		Short: "Write the tables as Parquet or CSV",
		Long: `Writes the tables as Parquet files, DIR/TABLE/*.parquet, for pandas, Polars,
Spark, Trino, DuckDB, and sllmq itself: --warehouse DIR, or sllmq import DIR.

A new data set appears whole or not at all. --append adds the rows that an
existing one lacks; --overwrite replaces its tables.`,
		Example: `  sllmq export --to ./exported
  sllmq export --to ./exported --append
  sllmq export --to ./opt --where "model like '%opt%' and not warmup" --tables loads,runs
  sllmq export --to /mnt/lake/sllmq --partition-by month,machine
  duckdb -c "select * from './exported/loads/*.parquet'"`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	f := c.Flags()
	f.StringVar(&o.to, "to", "", "folder to write into")
	f.StringSliceVar(&o.Tables, "tables", nil, "tables to write (default: all): "+strings.Join(schema.Names(), ", "))
	f.StringVar(&o.Where, "where", "", "SQL condition on the columns of load_facts: only these loads, and what belongs to them")
	f.StringSliceVar(&o.PartitionBy, "partition-by", nil, "one folder per month (of the run's start, UTC), machine, or both")
	f.StringVar(&o.Format, "format", "parquet", strings.Join(lake.ExportFormats(), " or "))
	f.BoolVar(&o.Append, "append", false, "add missing rows to an existing data set")
	f.BoolVar(&o.Overwrite, "overwrite", false, "replace the tables of an existing data set")
	for flag, values := range map[string][]string{"tables": schema.Names(), "format": lake.ExportFormats(), "partition-by": lake.ExportPartitions()} {
		// It fails only for a flag that does not exist.
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return c
}

func (o exportOptions) run(ctx context.Context, env *environment) error {
	if o.to == "" {
		return &usageError{errors.New("name the folder with --to")}
	}
	if err := o.Check(); err != nil {
		return &usageError{err}
	}
	if sameFile(o.to, env.warehouse) {
		return &usageError{fmt.Errorf("--to %s is the warehouse itself", o.to)}
	}
	db, err := env.open(ctx)
	if err != nil {
		return err
	}
	done, err := lake.Export(ctx, db, o.to, o.ExportOptions, env.warehouseOptions())
	if errors.Is(err, lake.ErrDataset) {
		err = fmt.Errorf("%w: --append adds missing rows, --overwrite replaces it", err)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	t := render.Table{Gap: 1, Columns: []render.Column{{Width: 12}, {}}}
	for _, table := range done {
		rows := text.Count(table.Rows, "row")
		if o.Append {
			rows += " added"
		}
		t.Row(table.Table, rows)
	}
	return t.Write(env.stdout)
}

// sameFile reports whether two paths name the same file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
