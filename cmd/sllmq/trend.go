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
)

type trendOptions struct {
	filterFlags
	trend     queries.Trend
	minChange string
	format    formatFlag
}

func newTrendCommand(env *environment) *cobra.Command {
	var o trendOptions
	c := &cobra.Command{
		Use:   "trend",
		Short: "Find when loading became slower or faster, and what changed then",
		Long: `Find when loading became slower or faster, and what changed then.

A point is a run's median. E-divisive, a method that assumes no distribution,
finds the levels of a series; p is from its permutations. Beside a level stands
what changed within two runs of its start (sllmq, kernel, driver, storage). With
--by, the values of that column are the levels, and p is from a Mann-Whitney U
test against the level before.`,
		Example: `  sllmq trend --tag branch=main --since 2026-01-01
  sllmq trend --model facebook/opt-6.7b --by gpu_driver`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.trend.By, "by", "", strings.Join(queries.TrendColumns(), ", ")+": use its values as levels")
	f.Float64Var(&o.trend.Alpha, "significance", queries.TrendAlpha, "probability of splitting a series that does not change")
	f.StringVar(&o.minChange, "min-change", fmt.Sprintf("%g%%", 100*queries.TrendMinChange), "ignore smaller changes")
	o.format.add(c, render.TrendFormats()...)
	return c
}

func (o trendOptions) run(ctx context.Context, env *environment) (err error) {
	t := o.trend
	if t.By != "" && !slices.Contains(queries.TrendColumns(), t.By) {
		return &usageError{fmt.Errorf("cannot find a trend by %q: use %s", t.By, strings.Join(queries.TrendColumns(), ", "))}
	}
	if !(t.Alpha >= 0.005 && t.Alpha < 0.5) {
		return &usageError{fmt.Errorf("--significance %g is not between 0.005, the least that 199 permutations can show, and 0.5", t.Alpha)}
	}
	if t.MinChange, err = parseShare("--min-change", o.minChange); err != nil {
		return err
	}
	if t.Filter, err = o.parse(); err != nil {
		return err
	}
	list, err := answer(ctx, env, t.Ask)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("no loads match: sllmq summary lists what the warehouse has")
	}
	return render.Trend(env.stdout, o.format.name, t, list)
}
