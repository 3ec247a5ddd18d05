package render

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/internal/text"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
)

// ComparisonFormats lists the formats of Comparison.
func ComparisonFormats() []string {
	return []string{FormatTable, FormatCSV, FormatJSON, FormatMarkdown}
}

// Comparison writes the pairs that answer a contrast.
func Comparison(w io.Writer, format string, c queries.Contrast, pairs []queries.Pair) (err error) {
	out := bufio.NewWriter(w)
	switch format {
	case FormatTable:
		err = writePairs(out, c, pairs)
	case FormatMarkdown:
		err = writePairsMarkdown(out, c, pairs)
	case FormatCSV:
		err = writePairsCSV(out, c, pairs)
	case FormatJSON:
		err = WriteJSON(out, comparedRows(c, pairs))
	default:
		err = CheckFormat(format, ComparisonFormats())
	}
	return errors.Join(err, out.Flush())
}

// nameWidth is how wide the column of arms' names is. Longer names stand on
// lines of their own.
const nameWidth = 14

// writePairs writes a block for each group: the baseline, and the other arms
// with what to know of them.
func writePairs(out io.Writer, c queries.Contrast, pairs []queries.Pair) error {
	unit := pairs[0].Unit
	if slices.ContainsFunc(pairs, func(p queries.Pair) bool { return p.Unit != unit }) {
		unit = "session, or by load where marked ld"
	}
	fmt.Fprintln(out, text.Printable(fmt.Sprintf("%s against %s, by %s; seconds, intervals of %.4g %%", c.By, pairs[0].Baseline, unit, 100*c.Confidence)))
	if title := queries.CommonTitle(pairs); title != "" {
		fmt.Fprintln(out, text.Printable(fold("all: ", title)))
	}
	t := Table{Indent: 2, Gap: 1, Columns: []Column{
		{Width: nameWidth}, {Title: "median", Width: 7, Right: true}, {Title: "interval", Width: 13, Right: true}, {Title: "mean", Width: 7, Right: true},
		{Title: "ratio", Width: 6, Right: true}, {Title: "interval", Width: 13, Right: true}, {Title: "p", Width: 6, Right: true}, {Title: "n", Width: 5, Right: true},
	}}
	arm := func(name string, cells ...string) {
		if width(name) > nameWidth {
			t.Line("  " + name)
			name = ""
		}
		t.Row(append([]string{name}, cells...)...)
	}
	for i, p := range pairs {
		if i == 0 || p.Shared != pairs[i-1].Shared {
			if title := queries.GroupTitle(p, pairs); title != "" {
				t.Line(title)
			}
			arm(p.Baseline, precise(p.Before.Median), medianInterval(p.Before), precise(p.BeforeLoads.MeanS), "", "", "", count(p, p.Before, pairs))
		}
		arm(p.Arm, precise(p.After.Median), medianInterval(p.After), precise(p.AfterLoads.MeanS),
			ratioOrNothing(p, c.Confidence), ratioInterval(p), pValue(p.AdjustedP), count(p, p.After, pairs))
		shift := fmt.Sprintf("Hodges-Lehmann shift %+.3g s", p.Shift.Estimate)
		if p.Shift.Interval.Known() {
			shift += fmt.Sprintf(" (%+.3g to %+.3g)", p.Shift.Interval.Lo, p.Shift.Interval.Hi)
		}
		t.Line(wrap("    ", []string{fmt.Sprintf("ratio of means %.3f", p.MeanRatio), shift}))
		for _, note := range p.Notes() {
			t.Line(fold("    ! ", note))
		}
	}
	means := queries.GeometricMeans(pairs)
	for i, name := range slices.Sorted(maps.Keys(means)) {
		if i == 0 {
			t.Line("geometric mean of the ratios")
		}
		arm(name, "", "", "", fmt.Sprintf("%.3f", means[name].Mean), fmt.Sprintf("of %d", means[name].N), "", "")
	}
	return t.Write(out)
}

func writePairsMarkdown(out io.Writer, c queries.Contrast, pairs []queries.Pair) error {
	t := Table{Columns: []Column{
		{Title: fmt.Sprintf("%s, by %s", c.By, pairs[0].Unit)}, {Title: "baseline"}, {Title: "s", Right: true}, {Title: "arm"}, {Title: "s", Right: true},
		{Title: "ratio", Right: true}, {Title: fmt.Sprintf("%.4g %% interval", 100*c.Confidence)}, {Title: "of means", Right: true}, {Title: "p", Right: true}, {Title: "n", Right: true}, {Title: "notes"},
	}}
	for _, p := range pairs {
		t.Row(queries.GroupTitle(p, pairs), p.Baseline, precise(p.Before.Median), p.Arm, precise(p.After.Median),
			ratioOrNothing(p, c.Confidence), ratioInterval(p), fmt.Sprintf("%.3f", p.MeanRatio), pValue(p.AdjustedP), fmt.Sprintf("%d+%d", p.Before.N, p.After.N), strings.Join(p.Notes(), "; "))
	}
	means := queries.GeometricMeans(pairs)
	for _, arm := range slices.Sorted(maps.Keys(means)) {
		t.Row(fmt.Sprintf("**geometric mean** of %d", means[arm].N), "", "", arm, "", fmt.Sprintf("%.3f", means[arm].Mean), "", "", "", "", "")
	}
	return t.Markdown(out)
}

// medianInterval is the interval of a median, or how many values one needs.
func medianInterval(s stats.Summary) string {
	if !s.Interval.Known() {
		return need(s.Need)
	}
	return precise(s.Interval.Lo) + "-" + precise(s.Interval.Hi)
}

// count is the number of units, marked if they are loads where others are
// sessions.
func count(p queries.Pair, s stats.Summary, pairs []queries.Pair) string {
	if p.Unit == "load" && slices.ContainsFunc(pairs, func(other queries.Pair) bool { return other.Unit != p.Unit }) {
		return fmt.Sprintf("%dld", s.N)
	}
	return fmt.Sprint(s.N)
}

// ratioOrNothing is the ratio of medians, or ~ if it may be chance.
func ratioOrNothing(p queries.Pair, confidence float64) string {
	if !p.Significant(confidence) {
		return "~"
	}
	return fmt.Sprintf("%.3f", p.Ratio.Estimate)
}

// ratioInterval is the interval of the ratio, or how many units one needs.
func ratioInterval(p queries.Pair) string {
	switch {
	case p.Need > 0:
		return need(p.Need)
	case !p.Ratio.Interval.Known():
		return need(max(p.Before.Need, p.After.Need))
	}
	return interval(p.Ratio.Interval)
}
