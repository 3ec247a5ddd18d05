package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
)

type compareOptions struct {
	filterFlags
	contrast queries.Contrast
	format   string
}

// compareFormats are what a comparison is written in.
var compareFormats = []string{"table", "csv", "json", "markdown"}

func newCompareCommand(env *environment) *cobra.Command {
	var o compareOptions
	c := &cobra.Command{
		Use:   "compare [BASELINE OTHER]",
		Short: "Compare loading times by format, loader, tag, time or any column",
		Long: `Compare loading times by format, loader, machine, tag, time or any other column.

Arms are held against the baseline where they agree in model, benchmark type,
machine, device, engine, format and loader, as far as that is not what is
compared. Two runs (by id) may differ in anything; what differs is said.

The unit is the session (a worker process), since its loads share their luck,
where both arms have several, else the load. Medians are of units, with an
interval of order statistics; means are of loads, as ServerlessLLM's benchmark
has them. A ratio over 1 takes longer: it is of medians, with an interval by
the bootstrap, and p is of a Mann-Whitney U test, corrected by Holm over the
table. ~ says that there is nothing to see at that significance, "need ≥ N"
that so few units could not have shown it.`,
		Example: `  sllmq compare --by format
  sllmq compare --by loader --baseline mmap-parallel --benchmark-type random
  sllmq compare branch=main branch=mine --where "model like 'synthetic/opt%'"
  sllmq compare --by time:2026-03-01        # before and after that day
  sllmq compare 019f1612 019f165e           # two runs`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.contrast.By, "by", "format", "what the arms are: a column of load_facts, a tag's key, day, week, month, year or time:MOMENT")
	f.StringVar(&o.contrast.Baseline, "baseline", "", "the arm that others are held against (default: safetensors, or what was measured first)")
	f.Float64Var(&o.contrast.Confidence, "confidence", 0.95, "of the intervals; one less it is the significance")
	f.StringVar(&o.format, "format", "table", strings.Join(compareFormats, ", "))
	return c
}

func (o compareOptions) run(ctx context.Context, env *environment, args []string) (err error) {
	if !slices.Contains(compareFormats, o.format) {
		return &usageError{fmt.Errorf("no format %q: use %s", o.format, strings.Join(compareFormats, ", "))}
	}
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
	return writeComparison(env.stdout, o.format, c, pairs)
}

func writeComparison(w io.Writer, format string, c queries.Contrast, pairs []queries.Pair) (err error) {
	out := bufio.NewWriter(w)
	switch format {
	case "table":
		writePairs(plain{out}, c, pairs)
	case "markdown":
		writePairsMarkdown(plain{out}, c, pairs)
	case "csv":
		err = writePairsCSV(out, c, pairs)
	default:
		err = writePairsJSON(out, c, pairs)
	}
	return errors.Join(err, out.Flush())
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
		return &usageError{fmt.Errorf("name two to compare, a baseline and another, or none: there are %d", len(args))}
	}
	key, value, ok := strings.Cut(args[0], "=")
	otherKey, other, otherOK := strings.Cut(args[1], "=")
	switch {
	case ok != otherOK || ok && (key != otherKey || key == "" || value == "" || other == ""):
		return &usageError{fmt.Errorf("%q and %q are neither KEY=VALUE twice, of one KEY, nor two runs' ids", args[0], args[1])}
	case args[0] == args[1]:
		return &usageError{fmt.Errorf("%q stands there twice: name another to hold against it", args[0])}
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

// answer asks the warehouse. What there is not to compare by is a usage error.
func answer[T any](ctx context.Context, env *environment, ask func(context.Context, *sql.DB) (T, error)) (T, error) {
	var none T
	db, err := env.open(ctx)
	if err != nil {
		return none, err
	}
	all, err := ask(ctx, db.SQL())
	err = errors.Join(err, db.Close())
	var column *queries.NoColumnError
	switch {
	case errors.As(err, &column):
		return none, &usageError{err}
	case err != nil:
		return none, err
	}
	return all, nil
}
