package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/internal/text"
	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/intake"
)

type importOptions struct {
	machine string
	tags    []string
	at      string
}

func newImportCommand(env *environment) *cobra.Command {
	var o importOptions
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Import warehouses, ServerlessLLM JSON or fio JSON",
		Long: `Add results to the warehouse: other warehouses (.duckdb files, and folders of
Parquet such as sllmq export writes), raw JSON files of ServerlessLLM's
benchmark (MODEL_FORMAT_REPLICAS_TYPE.json), and the output of fio
--output-format=json, as rooflines. Importing a file again changes nothing: rows
that exist are kept as they are.`,
		Example: `  sllmq import --machine h100 --tag year=2025 results/*.json
  sllmq import ./exported other.duckdb
  fio --direct=1 --rw=read ... --output-format=json > fio.json
  sllmq import fio.json --machine "$(hostname)"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{errors.New("name the files to import")}
			}
			return o.run(cmd.Context(), env, args)
		},
	}
	f := c.Flags()
	f.StringVar(&o.machine, "machine", "", "machine that JSON files were measured on; fio's rooflines go to the latest machine of that name")
	f.StringArrayVar(&o.tags, "tag", nil, "KEY=VALUE tag for the runs of JSON files (repeatable)")
	f.StringVar(&o.at, "at", "", "time that JSON files were measured (default: modification time of each file)")
	return c
}

func (o importOptions) run(ctx context.Context, env *environment, files []string) error {
	tags, err := parseTags(o.tags)
	if err != nil {
		return err
	}
	at, err := parseTime("--at", o.at)
	if err != nil {
		return err
	}
	done, err := warehouse.Import(ctx, env.warehouse, files, intake.Options{Machine: o.machine, Tags: tags, At: at}, env.warehouseOptions())
	for _, d := range done {
		fmt.Fprintf(env.stdout, "%s: %s\n", d.File, describeImport(d))
	}
	return err
}

// describeImport is the outcome for a file.
func describeImport(d warehouse.Imported) string {
	what := "a warehouse"
	switch d.Kind {
	case intake.Fio:
		what = "fio's results"
	case intake.ServerlessLLM:
		what = fmt.Sprintf("%s %s %s", d.Run.Model, d.Run.Format, d.Run.BenchmarkType)
	}
	if d.Nothing() {
		return what + ", all of which is there already"
	}
	var added []string
	for _, n := range []struct {
		n    int64
		what string
	}{{d.Loads, "load"}, {d.Rooflines, "roofline"}, {d.OtherRows, "other row"}, {d.RunEnds, "ended run"}} {
		if n.n > 0 {
			added = append(added, text.Count(n.n, n.what))
		}
	}
	return what + ", " + strings.Join(added, ", ")
}
