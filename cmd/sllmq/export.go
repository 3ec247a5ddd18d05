package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/warehouse"
)

type exportOptions struct {
	warehouse.ExportOptions
	to string
}

func newExportCommand(env *environment) *cobra.Command {
	var o exportOptions
	c := &cobra.Command{
		Use:   "export --to DIR",
		Short: "Write the tables as Parquet or CSV",
		Long: `Writes the tables as Parquet files, DIR/TABLE/*.parquet, for pandas, Polars,
Spark, Trino, DuckDB, and for sllmq itself: --warehouse DIR, or sllmq import
DIR.

A data set is there whole or not at all. With --append one that is there gets
what it lacks, and no row twice; with --overwrite another takes its place.`,
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
	f.StringSliceVar(&o.Tables, "tables", nil, "only these of "+strings.Join(warehouse.ExportTables(), ", "))
	f.StringVar(&o.Where, "where", "", "only loads of which this SQL holds, by the columns of load_facts, and what belongs to them")
	f.StringSliceVar(&o.PartitionBy, "partition-by", nil, "folders by month, in which the run began (UTC), and machine")
	f.StringVar(&o.Format, "format", "parquet", strings.Join(warehouse.ExportFormats(), " or "))
	f.BoolVar(&o.Append, "append", false, "add to the data set that is there what it lacks")
	f.BoolVar(&o.Overwrite, "overwrite", false, "put the tables in the place of those that are there")
	for flag, values := range map[string][]string{"tables": warehouse.ExportTables(), "format": warehouse.ExportFormats(), "partition-by": warehouse.ExportPartitions()} {
		// It can fail only for a flag that is not there.
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
	done, err := warehouse.Export(ctx, db, o.to, o.ExportOptions, env.warehouseOptions())
	if errors.Is(err, warehouse.ErrDataset) {
		err = fmt.Errorf("%w: --append adds what it lacks, --overwrite takes its place", err)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	for _, t := range done {
		fmt.Fprintf(env.stdout, "%-12s %s%s\n", t.Table, howMany(t.Rows, "row"), map[bool]string{true: " added"}[o.Append])
	}
	return nil
}

// sameFile says whether two paths lead to one place.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
