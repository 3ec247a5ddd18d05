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
		Short: "Write an HTML page with tables, comparisons, plots and their SQL",
		Long: `Write one page of HTML with the summary, the comparisons and their warnings,
failures, plots and machines, each with the SQL behind it. The file is
self-contained: it has no scripts and loads nothing over the network.`,
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
	f.StringVar(&o.page.Title, "title", "", "title of the page (default: made from the data)")
	return c
}

func (o reportOptions) run(ctx context.Context, env *environment) error {
	if o.output == "" {
		return &usageError{errors.New("no output: use -o FILE.html, or -o - for standard output")}
	}
	var err error
	if o.page.Filter, err = o.parse(); err != nil {
		return err
	}
	o.page.Warehouse, o.page.Version, o.page.At = filepath.Base(env.warehouse), version(), time.Now()
	r, err := gatherReport(ctx, env, o.page)
	if err != nil {
		return err
	}
	if r.Empty() {
		env.say("no load matches the filter: the report is empty")
	}
	if o.output == "-" {
		return r.Write(env.stdout)
	}
	return atomicfile.Write(o.output, func(w io.Writer) error { return r.Write(w) })
}

// gatherReport runs the report's queries, and closes the warehouse before anything is
// written.
func gatherReport(ctx context.Context, env *environment, o report.Options) (*report.Report, error) {
	db, err := env.open(ctx)
	if err != nil {
		return nil, err
	}
	r, err := report.Gather(ctx, db.SQL(), o)
	err = errors.Join(err, db.Close())
	var column *queries.NoColumnError
	if errors.As(err, &column) {
		return nil, &usageError{err}
	}
	return r, err
}
