package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/warehouse"
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
		Short: "Take in other warehouses, the reference's raw results, and fio's",
		Long: `Adds to the warehouse what others measured: warehouses (.duckdb files, and
folders of Parquet such as sllmq export writes), the raw JSON files of
ServerlessLLM's benchmark (MODEL_FORMAT_REPLICAS_TYPE.json), and what fio wrote
with --output-format=json, as rooflines. No row is doubled: what is there
already is left as it is.`,
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
	f.StringVar(&o.machine, "machine", "", "the machine that JSON files were measured on; fio's rooflines go to the one of that name that was seen last")
	f.StringArrayVar(&o.tags, "tag", nil, "KEY=VALUE for the runs of JSON files (repeatable)")
	f.StringVar(&o.at, "at", "", "when JSON files were measured (default: each file's own time)")
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
	done, err := warehouse.Import(ctx, env.warehouse, files, warehouse.ImportOptions{Machine: o.machine, Tags: tags, At: at}, env.warehouseOptions())
	for _, d := range done {
		fmt.Fprintf(env.stdout, "%s: %s\n", d.File, tellImport(d))
	}
	return err
}

// tellImport says what became of a file.
func tellImport(d warehouse.Imported) string {
	what := map[string]string{warehouse.KindWarehouse: "a warehouse", warehouse.KindFio: "fio's results",
		warehouse.KindResults: fmt.Sprintf("%s %s %s", d.Model, d.Format, d.BenchmarkType)}[d.Kind]
	if d.Already() {
		return what + ", all of which is there already"
	}
	var added []string
	for _, n := range []struct {
		n    int64
		what string
	}{{d.Loads, "load"}, {d.Rooflines, "roofline"}, {d.OtherRows, "other row"}, {d.RunEnds, "ended run"}} {
		if n.n > 0 {
			added = append(added, howMany(n.n, n.what))
		}
	}
	return what + ", " + strings.Join(added, ", ")
}
