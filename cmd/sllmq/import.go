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
		Short: "Take in the reference benchmark's raw results, or an export",
		Long: `Adds files to the warehouse: the raw JSON files of ServerlessLLM's benchmark
(MODEL_FORMAT_REPLICAS_TYPE.json) and folders that sllmq export wrote. What is
there already is left as it is.`,
		Example: `  sllmq import --machine h100 --tag year=2025 results/*.json
  sllmq import ./exported`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{errors.New("name the files to import")}
			}
			return o.run(cmd.Context(), env, args)
		},
	}
	f := c.Flags()
	f.StringVar(&o.machine, "machine", "", "the machine that JSON files were measured on")
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
		what := strings.Join(strings.Fields(d.Model+" "+d.Format+" "+d.BenchmarkType), " ")
		switch {
		case d.Already:
			fmt.Fprintf(env.stdout, "%s: %s is there already\n", d.File, orText(what, "all of it"))
		default:
			fmt.Fprintf(env.stdout, "%s: %s, %d loads\n", d.File, orText(what, "a data set"), d.Loads)
		}
	}
	return err
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
