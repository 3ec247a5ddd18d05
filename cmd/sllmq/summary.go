package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
)

type summaryOptions struct {
	filter       queries.Filter
	tags         []string
	since, until string
	format       string
}

func newSummaryCommand(env *environment) *cobra.Command {
	var o summaryOptions
	c := &cobra.Command{
		Use:   "summary",
		Short: "Sum up loading times by model, benchmark type, format and loader",
		Example: `  sllmq summary --model synthetic/opt-125m --benchmark-type random
  sllmq summary --tag host=a --since 2026-11-01 --format csv`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.filter.Models, "model", nil, "only these models")
	f.StringSliceVar(&o.filter.Formats, "checkpoint-format", nil, "only safetensors or sllm")
	f.StringSliceVar(&o.filter.BenchmarkTypes, "benchmark-type", nil, "only random or cached")
	f.StringSliceVar(&o.filter.Runs, "run", nil, "only these runs, by id")
	f.StringArrayVar(&o.tags, "tag", nil, "only runs with this KEY=VALUE (repeatable)")
	f.StringVar(&o.since, "since", "", "only loads from this time on: 2026-11-24, RFC 3339, or 36h ago as 36h")
	f.StringVar(&o.until, "until", "", "only loads before this time")
	addFormatFlag(c, &o.format)
	return c
}

func (o summaryOptions) run(ctx context.Context, env *environment) (err error) {
	if err := checkFormat(o.format); err != nil {
		return err
	}
	if o.filter.Tags, err = parseTags(o.tags); err != nil {
		return err
	}
	if o.filter.Since, err = parseTime("--since", o.since); err != nil {
		return err
	}
	if o.filter.Until, err = parseTime("--until", o.until); err != nil {
		return err
	}
	db, err := env.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if o.format != "table" {
		statement, arguments := queries.SummarySQL(o.filter)
		return printQuery(ctx, env, db, o.format, statement, arguments...)
	}
	rows, err := queries.Summary(ctx, db.SQL(), o.filter)
	if err != nil {
		return err
	}
	return writeSummary(env.stdout, rows)
}

// parseTags reads KEY=VALUE pairs.
func parseTags(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	tags := map[string]string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, &usageError{fmt.Errorf("--tag %q is not KEY=VALUE", pair)}
		}
		tags[key] = value
	}
	return tags, nil
}

// parseTime reads a day, a moment, or how long ago; UTC where it does not say.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return time.Now().Add(-ago), nil
	}
	return time.Time{}, &usageError{fmt.Errorf("%s %q is no time: write 2026-11-24, 2026-11-24T12:00:00Z or, for as long ago, 36h", flag, text)}
}
