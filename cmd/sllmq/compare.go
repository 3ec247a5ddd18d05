package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
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
		Use:   "compare",
		Short: "Compare loading times by format, loader, machine, tag or any other column",
		Long: `Compare loading times by format, loader, machine, tag or any other column.

The unit is the session (a worker process) where both arms have several, else
the load. A ratio over 1 takes longer. Its interval is of the ratio of medians,
by the bootstrap; p is of a Mann-Whitney U test, corrected by Holm over the
table; ~ says that there is nothing to see at that significance.`,
		Example: `  sllmq compare --by format
  sllmq compare --by tag:branch --baseline main --where "model like 'synthetic/opt%'"
  sllmq compare --by loader --baseline mmap-parallel --benchmark-type random`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.contrast.By, "by", "format", "column of load_facts whose values are the arms, or tag:KEY")
	f.StringVar(&o.contrast.Baseline, "baseline", "", "the arm that others are held against (default: safetensors, or what was measured first)")
	f.Float64Var(&o.contrast.Confidence, "confidence", 0.95, "of the intervals; one less it is the significance")
	f.StringVar(&o.format, "format", "table", strings.Join(compareFormats, ", "))
	return c
}

func (o compareOptions) run(ctx context.Context, env *environment) error {
	if !slices.Contains(compareFormats, o.format) {
		return &usageError{fmt.Errorf("no format %q: use %s", o.format, strings.Join(compareFormats, ", "))}
	}
	if !(o.contrast.Confidence > 0.5 && o.contrast.Confidence < 1) {
		return &usageError{fmt.Errorf("--confidence %g is not between 0.5 and 1", o.contrast.Confidence)}
	}
	var err error
	if o.contrast.Filter, err = o.parse(); err != nil {
		return err
	}
	pairs, err := ask(ctx, env, o.contrast)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(env.stdout)
	switch o.format {
	case "table":
		writePairs(out, o.contrast, pairs)
	case "markdown":
		writePairsMarkdown(out, o.contrast, pairs)
	case "csv":
		err = writePairsCSV(out, o.contrast, pairs)
	default:
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = e.Encode(pairRows(o.contrast, pairs))
	}
	return errors.Join(err, out.Flush())
}

// ask opens the warehouse for a comparison.
func ask(ctx context.Context, env *environment, c queries.Contrast) ([]queries.Pair, error) {
	db, err := env.open(ctx)
	if err != nil {
		return nil, err
	}
	pairs, err := c.Ask(ctx, db.SQL())
	err = errors.Join(err, db.Close())
	var column *queries.NoColumnError
	if errors.As(err, &column) {
		return nil, &usageError{err}
	}
	return pairs, err
}

// writePairs prints a line a pair, and below it what should be known of it. A
// line fits 80 columns unless a name is long.
func writePairs(out io.Writer, c queries.Contrast, pairs []queries.Pair) {
	shared := ""
	for _, p := range pairs {
		if head := p.Arm + " against " + p.Baseline; head != shared {
			if shared != "" {
				fmt.Fprintln(out)
			}
			shared = head
			fmt.Fprintf(out, "%s: %s, by %s\n", c.By, head, p.Unit)
			fmt.Fprintf(out, "  %-27s %8s %8s %6s %-13s %6s %5s\n", "", clipTo(p.Baseline, 8), clipTo(p.Arm, 8), "ratio", fmt.Sprintf("%.4g %% interval", 100*c.Confidence), "p", "n")
		}
		fmt.Fprintf(out, "  %-27s %8s %8s %6s %-13s %6s %5s\n", clipMiddle(queries.GroupTitle(p, pairs), 27), seconds(&p.Ratio.Before), seconds(&p.Ratio.After),
			ratioOrNothing(p, c.Confidence), interval(p.Ratio.Interval), pValue(p.AdjustedP), fmt.Sprintf("%d+%d", p.Before.N, p.After.N))
		for _, w := range p.Notes() {
			fmt.Fprintln(out, "    ! "+w)
		}
	}
	for arm, ratio := range queries.GeometricMeans(pairs) {
		fmt.Fprintf(out, "\ngeometric mean of the ratios of %s: %.3f over %d comparisons\n", arm, ratio.Mean, ratio.N)
	}
}

// ratioOrNothing is the ratio of medians, or ~ where it may be chance.
func ratioOrNothing(p queries.Pair, confidence float64) string {
	if !p.Significant(confidence) {
		return "~"
	}
	return fmt.Sprintf("%.3f", p.Ratio.Estimate)
}

func interval(i stats.Interval) string {
	if !i.Known() {
		return "-"
	}
	return fmt.Sprintf("%.3f-%.3f", i.Lo, i.Hi)
}

func pValue(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}

// pairRow is a pair as programs read it. Intervals are null where the sample
// is too small for any.
type pairRow struct {
	By              string   `json:"by"`
	Group           []string `json:"group"`
	Baseline        string   `json:"baseline"`
	Arm             string   `json:"arm"`
	Unit            string   `json:"unit"`
	BaselineN       int      `json:"baseline_n"`
	ArmN            int      `json:"arm_n"`
	BaselineMedianS float64  `json:"baseline_median_s"`
	ArmMedianS      float64  `json:"arm_median_s"`
	Ratio           float64  `json:"ratio_of_medians"`
	RatioLow        *float64 `json:"ratio_low"`
	RatioHigh       *float64 `json:"ratio_high"`
	RatioOfMeans    float64  `json:"ratio_of_means"`
	ShiftFactor     float64  `json:"hodges_lehmann_factor"`
	P               float64  `json:"p"`
	AdjustedP       float64  `json:"p_holm"`
	Significant     bool     `json:"significant"`
	Outliers        int      `json:"outliers"`
	Notes           []string `json:"notes"`
}

func pairRows(c queries.Contrast, pairs []queries.Pair) []pairRow {
	finite := func(v float64) *float64 {
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil
		}
		return &v
	}
	var rows []pairRow
	for _, p := range pairs {
		r := pairRow{By: c.By, Group: p.Group, Baseline: p.Baseline, Arm: p.Arm, Unit: p.Unit, BaselineN: p.Before.N, ArmN: p.After.N,
			BaselineMedianS: p.Ratio.Before, ArmMedianS: p.Ratio.After, Ratio: p.Ratio.Estimate, RatioOfMeans: p.MeanRatio, ShiftFactor: p.Factor.Estimate,
			P: p.Test.P, AdjustedP: p.AdjustedP, Significant: p.Significant(c.Confidence), Outliers: p.Outliers, Notes: p.Notes()}
		if p.Ratio.Interval.Known() {
			r.RatioLow, r.RatioHigh = finite(p.Ratio.Interval.Lo), finite(p.Ratio.Interval.Hi)
		}
		rows = append(rows, r)
	}
	return rows
}

func writePairsCSV(out io.Writer, c queries.Contrast, pairs []queries.Pair) error {
	w := csv.NewWriter(out)
	number := func(v *float64) string {
		if v == nil {
			return ""
		}
		return strconv.FormatFloat(*v, 'g', -1, 64)
	}
	lines := [][]string{{"by", "group", "baseline", "arm", "unit", "baseline_n", "arm_n", "baseline_median_s", "arm_median_s", "ratio_of_medians", "ratio_low", "ratio_high",
		"ratio_of_means", "hodges_lehmann_factor", "p", "p_holm", "significant", "outliers", "notes"}}
	for _, r := range pairRows(c, pairs) {
		lines = append(lines, []string{r.By, strings.Join(r.Group, "/"), r.Baseline, r.Arm, r.Unit, strconv.Itoa(r.BaselineN), strconv.Itoa(r.ArmN),
			number(&r.BaselineMedianS), number(&r.ArmMedianS), number(&r.Ratio), number(r.RatioLow), number(r.RatioHigh), number(&r.RatioOfMeans), number(&r.ShiftFactor),
			number(&r.P), number(&r.AdjustedP), strconv.FormatBool(r.Significant), strconv.Itoa(r.Outliers), strings.Join(r.Notes, "; ")})
	}
	return w.WriteAll(lines)
}

func writePairsMarkdown(out io.Writer, c queries.Contrast, pairs []queries.Pair) {
	fmt.Fprintf(out, "| %s | baseline | s | arm | s | ratio | %.4g %% interval | p | n | notes |\n|---|---|---:|---|---:|---:|---|---:|---:|---|\n", c.By, 100*c.Confidence)
	for _, p := range pairs {
		escape := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s | %d+%d | %s |\n", escape(queries.GroupTitle(p, pairs)), escape(p.Baseline), seconds(&p.Ratio.Before), escape(p.Arm), seconds(&p.Ratio.After),
			ratioOrNothing(p, c.Confidence), interval(p.Ratio.Interval), pValue(p.AdjustedP), p.Before.N, p.After.N, escape(strings.Join(p.Notes(), "; ")))
	}
}

// clipTo shortens a name at its end.
func clipTo(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// clipMiddle shortens a name where it says least.
func clipMiddle(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	head := (most - 1) / 2
	return string(r[:head]) + "…" + string(r[len(r)-(most-1-head):])
}
