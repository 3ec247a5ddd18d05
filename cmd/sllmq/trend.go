package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
)

type trendOptions struct {
	filterFlags
	trend     queries.Trend
	minChange string
	format    string
}

// trendFormats are what a trend is written in.
var trendFormats = []string{"table", "csv", "json"}

func newTrendCommand(env *environment) *cobra.Command {
	var o trendOptions
	c := &cobra.Command{
		Use:   "trend",
		Short: "Say when loading became slower or faster, and what changed then",
		Long: `Say when loading became slower or faster, and what changed then.

A point is a run's median. The levels of a series are told by E-divisive, a
method that assumes no distribution: p is of its permutations. What changed
within two runs of a level (sllmq, kernel, driver, storage) is said beside it.
With --by, the values of that column are the levels, and p is of a Mann-Whitney
U test against the level before.`,
		Example: `  sllmq trend --tag branch=main --since 2026-01-01
  sllmq trend --model facebook/opt-6.7b --by gpu_driver`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.trend.By, "by", "", strings.Join(queries.TrendColumns(), ", ")+": its values are the levels")
	f.Float64Var(&o.trend.Alpha, "significance", queries.TrendAlpha, "how often a series that does not change is split")
	f.StringVar(&o.minChange, "min-change", fmt.Sprintf("%g%%", 100*queries.TrendMinChange), "smaller changes are not told")
	f.StringVar(&o.format, "format", "table", strings.Join(trendFormats, ", "))
	return c
}

func (o trendOptions) run(ctx context.Context, env *environment) (err error) {
	if !slices.Contains(trendFormats, o.format) {
		return &usageError{fmt.Errorf("no format %q: use %s", o.format, strings.Join(trendFormats, ", "))}
	}
	t := o.trend
	if t.By != "" && !slices.Contains(queries.TrendColumns(), t.By) {
		return &usageError{fmt.Errorf("no trend by %q: use %s", t.By, strings.Join(queries.TrendColumns(), ", "))}
	}
	if !(t.Alpha >= 0.005 && t.Alpha < 0.5) {
		return &usageError{fmt.Errorf("--significance %g is not between 0.005, the least that is told by 199 permutations, and 0.5", t.Alpha)}
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
		return errors.New("no loads to follow in time: sllmq summary says what there is")
	}
	out := bufio.NewWriter(env.stdout)
	switch o.format {
	case "csv":
		err = writeTrendCSV(out, list)
	case "json":
		err = writeTrendJSON(out, list)
	default:
		writeTrend(plain{out}, t, list)
	}
	return errors.Join(err, out.Flush())
}

// writeTrend prints a block a series: its shape, then a line a level.
func writeTrend(out io.Writer, t queries.Trend, list []queries.TrendSeries) {
	by, room := "from", len("2006-01-02")
	if t.By != "" {
		by, room = t.By, len(t.By)
		for _, s := range list {
			for _, stretch := range s.Stretches {
				room = max(room, utf8.RuneCountInString(stretch.Value))
			}
		}
	}
	for i, s := range list {
		if i > 0 {
			fmt.Fprintln(out)
		}
		first, last := s.Levels[0].StartedAt, s.Levels[len(s.Levels)-1].StartedAt
		fmt.Fprintln(out, fold("", fmt.Sprintf("%s, %s, %s %s, to %s by %s on %s: %s, %s to %s", s.Model, s.BenchmarkType, s.Format, s.Loader, s.Device, s.Engine, s.Machine,
			howMany(int64(len(s.Levels)), "run"), first.UTC().Format("2006-01-02"), last.UTC().Format("2006-01-02"))))
		fmt.Fprintln(out, "  "+spark(s.Levels))
		fmt.Fprintf(out, "  %-*s%6s%10s%9s%8s  %s\n", room, by, "runs", "median s", "change", "p", "with it")
		for k, stretch := range s.Stretches {
			name := stretch.StartedAt.UTC().Format("2006-01-02")
			if t.By != "" {
				name = cmp.Or(stretch.Value, "none")
			}
			change, p := "", ""
			if k > 0 {
				change, p = fmt.Sprintf("%+.1f %%", 100*stretch.Change), pValue(stretch.P)
			}
			line := fmt.Sprintf("  %-*s%6d%10s%9s%8s  ", room, name, stretch.Runs, precise(stretch.MedianS), change, p)
			fmt.Fprintln(out, strings.TrimRight(line+strings.Join(stretch.With, "\n"+strings.Repeat(" ", len(line)-len(name)+utf8.RuneCountInString(name))), " "))
		}
		switch {
		case t.By != "" || len(s.Stretches) > 1:
		case len(s.Levels) < queries.TrendNeed:
			fmt.Fprintf(out, "    ! need ≥ %d runs to tell a change\n", queries.TrendNeed)
		default:
			fmt.Fprintf(out, "    no change of level over %.4g %%\n", 100*t.MinChange)
		}
		if s.Tags != nil {
			fmt.Fprintln(out, fold("    ! ", "runs of different tags in one series: "+tagWords(s.Tags)+"; choose with --tag"))
		}
	}
}

// tagWords lists what runs are tagged with.
func tagWords(tags []string) string {
	const shown = 4
	var words []string
	for i, t := range tags {
		if i == shown {
			return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", len(tags)-shown)
		}
		if t == "" {
			t = "none"
		}
		words = append(words, t)
	}
	return strings.Join(words, ", ")
}

// spark draws the medians in a line of text, from the fastest to the slowest.
func spark(levels []queries.Level) string {
	const width = 76
	bars := []rune("▁▂▃▄▅▆▇█")
	lo, hi := levels[0].MedianS, levels[0].MedianS
	for _, l := range levels {
		lo, hi = min(lo, l.MedianS), max(hi, l.MedianS)
	}
	columns := min(width, len(levels))
	var line []rune
	for c := range columns {
		from, to := c*len(levels)/columns, (c+1)*len(levels)/columns
		mean := 0.0
		for _, l := range levels[from:to] {
			mean += l.MedianS / float64(to-from)
		}
		height := 0
		if hi > lo {
			height = int((mean - lo) / (hi - lo) * float64(len(bars)-1) * 0.999999)
		}
		line = append(line, bars[height])
	}
	return string(line)
}

// stretchRow is a level as programs read it.
type stretchRow struct {
	Machine       string   `json:"machine"`
	Model         string   `json:"model"`
	BenchmarkType string   `json:"benchmark_type"`
	Format        string   `json:"format"`
	Loader        string   `json:"loader"`
	Device        string   `json:"device"`
	Engine        string   `json:"engine"`
	StartedAt     string   `json:"started_at"`
	Value         string   `json:"value"`
	Runs          int      `json:"runs"`
	MedianS       float64  `json:"median_s"`
	Change        *float64 `json:"change"`
	P             *float64 `json:"p"`
	RunID         string   `json:"run_id"`
	With          []string `json:"with"`
}

func stretchRows(list []queries.TrendSeries) []stretchRow {
	rows := []stretchRow{}
	for _, s := range list {
		for k, stretch := range s.Stretches {
			row := stretchRow{Machine: s.Machine, Model: s.Model, BenchmarkType: s.BenchmarkType, Format: s.Format, Loader: s.Loader, Device: s.Device, Engine: s.Engine,
				StartedAt: stretch.StartedAt.UTC().Format("2006-01-02T15:04:05Z07:00"), Value: stretch.Value, Runs: stretch.Runs, MedianS: stretch.MedianS,
				RunID: s.Levels[stretch.Index].RunID, With: append([]string{}, stretch.With...)}
			if k > 0 {
				row.Change, row.P = &stretch.Change, finite(stretch.P)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func writeTrendJSON(out io.Writer, list []queries.TrendSeries) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(stretchRows(list))
}

func writeTrendCSV(out io.Writer, list []queries.TrendSeries) error {
	lines := [][]string{{"machine", "model", "benchmark_type", "format", "loader", "device", "engine", "started_at", "value", "runs", "median_s", "change", "p", "run_id", "with"}}
	for _, r := range stretchRows(list) {
		lines = append(lines, []string{r.Machine, r.Model, r.BenchmarkType, r.Format, r.Loader, r.Device, r.Engine, r.StartedAt, r.Value, strconv.Itoa(r.Runs), cell(r.MedianS), cell(r.Change), cell(r.P), r.RunID, cell(r.With)})
	}
	return csv.NewWriter(out).WriteAll(lines)
}
