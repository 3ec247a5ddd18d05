package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sllmq/sllmq/queries"
)

// filterFlags choose loads, in every command that answers questions.
type filterFlags struct {
	filter       queries.Filter
	tags         []string
	since, until string
}

func (o *filterFlags) add(f *pflag.FlagSet) {
	f.StringSliceVar(&o.filter.Models, "model", nil, "only these models")
	f.StringSliceVar(&o.filter.Formats, "checkpoint-format", nil, "only safetensors or sllm")
	f.StringSliceVar(&o.filter.BenchmarkTypes, "benchmark-type", nil, "only random or cached")
	f.StringSliceVar(&o.filter.Runs, "run", nil, "only these runs, by id")
	f.StringArrayVar(&o.tags, "tag", nil, "only runs with this KEY=VALUE (repeatable)")
	f.StringVar(&o.since, "since", "", "only loads from this time on: 2026-11-24, RFC 3339, or 36h for 36 hours ago")
	f.StringVar(&o.filter.Where, "where", "", "only loads for which this SQL condition over load_facts holds as well")
	f.StringVar(&o.until, "until", "", "only loads before this time")
}

// parse reads the flags.
func (o *filterFlags) parse() (f queries.Filter, err error) {
	f = o.filter
	if f.Tags, err = parseTags(o.tags); err != nil {
		return f, err
	}
	if f.Since, err = parseTime("--since", o.since); err != nil {
		return f, err
	}
	f.Until, err = parseTime("--until", o.until)
	return f, err
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

// parseTime reads a day, a moment, or how long ago. Times without a zone are
// UTC.
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
	return time.Time{}, &usageError{fmt.Errorf("%s %q is not a time: write 2026-11-24, 2026-11-24T12:00:00Z, or 36h for 36 hours ago", flag, text)}
}
