package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/warehouse"
)

func newExportCommand(env *environment) *cobra.Command {
	var to string
	c := &cobra.Command{
		Use:   "export --to DIR",
		Short: "Write every table as Parquet",
		Long: `Writes every table as Parquet files, DIR/TABLE/*.parquet, for pandas, Polars,
Spark, Trino or DuckDB itself. An export into the same folder takes the place
of the one before.`,
		Example: `  sllmq export --to ./exported
  duckdb -c "select * from './exported/loads/*.parquet'"`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return &usageError{errors.New("name the folder with --to")}
			}
			return runExport(cmd.Context(), env, to)
		},
	}
	c.Flags().StringVar(&to, "to", "", "folder to write into")
	return c
}

func runExport(ctx context.Context, env *environment, to string) error {
	db, err := env.open(ctx)
	if err != nil {
		return err
	}
	done, err := warehouse.Export(ctx, db, to)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	for _, t := range done {
		fmt.Fprintf(env.stdout, "%-12s %d rows\n", t.Table, t.Rows)
	}
	return nil
}
