package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/render"
)

type compareOptions struct {
	filterFlags
	contrast queries.Contrast
	format   formatFlag
}

func newCompareCommand(env *environment) *cobra.Command {
	var o compareOptions
	c := &cobra.Command{
		Use:   "compare [BASELINE OTHER]",
		Short: "Compare loading times by format, loader, tag, time or any column",
		Long: `Compare loading times by format, loader, machine, tag, time or any other column.

Arms are compared with the baseline if they agree in model, benchmark type,
machine, device, engine, format and loader, except in what is compared. Two runs
(by id) may differ in anything; warnings list the differences.

The unit is the session (a worker process), since its loads share their luck, if
both arms have several; otherwise the load. Medians are over units, with an
interval from order statistics; means are over loads, as in ServerlessLLM's
benchmark. The ratio is that of medians, with a bootstrap interval; over 1, the
arm takes longer. p is from a Mann-Whitney U test, corrected by Holm over the
table. ~ marks a difference that is not significant, "need ≥ N" one that fewer
than N units could not have shown.`,
		Example: `  sllmq compare --by format
  sllmq compare --by loader --baseline mmap-parallel --benchmark-type random
  sllmq compare branch=main branch=mine --where "model like 'synthetic/opt%'"
  sllmq compare --by time:2026-03-01        # before and after that day
  sllmq compare 019f1612 019f165e           # two runs`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.contrast.By, "by", "format", "compare by a column of load_facts, a tag's key, day, week, month, year or time:MOMENT")
	f.StringVar(&o.contrast.Baseline, "baseline", "", "arm to compare the others with (default: safetensors, or the one measured first)")
	f.Float64Var(&o.contrast.Confidence, "confidence", 0.95, "confidence level (significance = 1 - level)")
	o.format.add(c, render.ComparisonFormats()...)
	return c
}

func (o compareOptions) run(ctx context.Context, env *environment, args []string) (err error) {
	c := o.contrast
	if !(c.Confidence > 0.5 && c.Confidence < 1) {
		return &usageError{fmt.Errorf("--confidence %g is not between 0.5 and 1", c.Confidence)}
	}
	if c.Filter, err = o.parse(); err != nil {
		return err
	}
	if err := splitTime(&c); err != nil {
		return err
	}
	if err := nameArms(&c, args); err != nil {
		return err
	}
	pairs, err := answer(ctx, env, func(ctx context.Context, db *sql.DB) ([]queries.Pair, error) {
		if c.Across {
			if err := findRuns(ctx, db, &c); err != nil {
				return nil, err
			}
		}
		return c.Ask(ctx, db)
	})
	if err != nil {
		return err
	}
	if len(args) == 0 {
		c.By = o.contrast.By // as it was typed
	}
	return render.Comparison(env.stdout, o.format.name, c, pairs)
}

// splitTime reads the moment of --by time:MOMENT.
func splitTime(c *queries.Contrast) (err error) {
	text, ok := strings.CutPrefix(c.By, "time:")
	if !ok && c.By != "time" {
		return nil
	}
	if !ok || text == "" {
		return &usageError{errors.New("--by time needs a moment to split at: time:2026-11-24")}
	}
	c.By = "time"
	c.SplitAt, err = parseTime("--by time:", text)
	return err
}

// nameArms reads two arms: KEY=VALUE twice, or two runs.
func nameArms(c *queries.Contrast, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if len(args) != 2 {
		return &usageError{fmt.Errorf("name a baseline and another arm, or none: there are %d arguments", len(args))}
	}
	key, value, ok := strings.Cut(args[0], "=")
	otherKey, other, otherOK := strings.Cut(args[1], "=")
	switch {
	case ok != otherOK || ok && (key != otherKey || key == "" || value == "" || other == ""):
		return &usageError{fmt.Errorf("%q and %q are neither two KEY=VALUE with one KEY nor two run ids", args[0], args[1])}
	case args[0] == args[1]:
		return &usageError{fmt.Errorf("%q is named twice: name two different arms", args[0])}
	case ok:
		c.By, c.Baseline, c.Arms = key, value, []string{value, other}
	default:
		c.By, c.Across, c.Arms = "run_id", true, args
	}
	return nil
}

// findRuns completes the ids of two runs.
func findRuns(ctx context.Context, db *sql.DB, c *queries.Contrast) error {
	ids := make([]string, len(c.Arms))
	for i, prefix := range c.Arms {
		var err error
		if ids[i], err = queries.FindRun(ctx, db, prefix); err != nil {
			return err
		}
	}
	if ids[0] == ids[1] {
		return fmt.Errorf("%s and %s are the same run", c.Arms[0], c.Arms[1])
	}
	c.Arms, c.Baseline, c.Runs = ids, ids[0], ids
	return nil
}
