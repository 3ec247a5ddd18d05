package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/internal/atomicfile"
	"github.com/sllmq/sllmq/plots/report"
	"github.com/sllmq/sllmq/queries"
)

type reportOptions struct {
	filterFlags
	page   report.Options
	output string
}

func newReportCommand(env *environment) *cobra.Command {
	o := reportOptions{page: report.DefaultOptions()}
	c := &cobra.Command{
		Use:   "report -o FILE.html",
		Short: "Write one page: tables, comparisons, pictures, the SQL behind them",
		Long: `Write one page of HTML with the summary, the comparisons with their warnings,
the failures, the pictures, the machines, and the SQL behind each. The file
stands alone: it asks for nothing over the network and holds no script.`,
		Example: `  sllmq report -o report.html
  sllmq report -o nightly.html --by loader,tag:branch --since 24h --title Nightly
  sllmq report -o - --where "machine = 'a100-01'" > a100.html`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVarP(&o.output, "output", "o", "", "file to write (- for standard output)")
	f.StringSliceVar(&o.page.By, "by", o.page.By, "columns of load_facts, or tag:KEY, to compare by")
	f.StringVar(&o.page.Title, "title", "", "of the page (default: told from the data)")
	return c
}

func (o reportOptions) run(ctx context.Context, env *environment) error {
	if o.output == "" {
		return &usageError{errors.New("say where to: -o FILE.html, or -o - for standard output")}
	}
	var err error
	if o.page.Filter, err = o.parse(); err != nil {
		return err
	}
	o.page.Warehouse, o.page.Version, o.page.At = filepath.Base(env.warehouse), version(), time.Now()
	made, err := gatherReport(ctx, env, o.page)
	if err != nil {
		return err
	}
	if made.Empty() {
		env.say("no load is among those chosen, and the report says so")
	}
	if o.output == "-" {
		return made.Write(env.stdout)
	}
	return atomicfile.Write(o.output, func(w io.Writer) error { return made.Write(w) })
}

// gatherReport asks the warehouse, and closes it before anything is written.
func gatherReport(ctx context.Context, env *environment, o report.Options) (*report.Report, error) {
	db, err := env.open(ctx)
	if err != nil {
		return nil, err
	}
	made, err := report.Gather(ctx, db.SQL(), o)
	err = errors.Join(err, db.Close())
	var column *queries.NoColumnError
	if errors.As(err, &column) {
		return nil, &usageError{err}
	}
	return made, err
}
