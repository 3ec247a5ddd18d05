package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
)

// Columns of the table, 80 in all.
const pairLine = "  %-14s%8s%14s%8s%7s%14s%7s%6s"

// writePairs prints a block a group: its baseline, and each other arm with what
// should be known of it. Lines fit 80 columns unless a name is long.
func writePairs(out io.Writer, c queries.Contrast, pairs []queries.Pair) {
	unit := pairs[0].Unit
	if slices.ContainsFunc(pairs, func(p queries.Pair) bool { return p.Unit != unit }) {
		unit = "session, or by load where it says so"
	}
	fmt.Fprintf(out, "%s against %s, by %s; seconds, intervals of %.4g %%\n", c.By, pairs[0].Baseline, unit, 100*c.Confidence)
	if title := queries.CommonTitle(pairs); title != "" {
		fmt.Fprintln(out, fold("all: ", title))
	}
	fmt.Fprintf(out, pairLine+"\n", "", "median", "interval", "mean", "ratio", "interval", "p", "n")
	for i, p := range pairs {
		if i == 0 || p.Shared != pairs[i-1].Shared {
			if title := queries.GroupTitle(p, pairs); title != "" {
				fmt.Fprintln(out, title)
			}
			writeArm(out, p.Baseline, timing(p.Before), precise(p.BeforeLoads.MeanS), "", "", "", count(p, p.Before, pairs))
		}
		writeArm(out, p.Arm, timing(p.After), precise(p.AfterLoads.MeanS), ratioOrNothing(p, c.Confidence), ratioInterval(p), pValue(p.AdjustedP), count(p, p.After, pairs))
		said := []string{fmt.Sprintf("ratio of means %.3f", p.MeanRatio)}
		shift := fmt.Sprintf("Hodges-Lehmann shift %+.3g s", p.Shift.Estimate)
		if p.Shift.Interval.Known() {
			shift += fmt.Sprintf(" (%+.3g to %+.3g)", p.Shift.Interval.Lo, p.Shift.Interval.Hi)
		}
		fmt.Fprintln(out, wrap("    ", append(said, shift)))
		for _, note := range p.Notes() {
			fmt.Fprintln(out, fold("    ! ", note))
		}
	}
	means := queries.GeometricMeans(pairs)
	for i, arm := range slices.Sorted(maps.Keys(means)) {
		if i == 0 {
			fmt.Fprintln(out, "geometric mean of the ratios")
		}
		writeArm(out, arm, "", "", "", fmt.Sprintf("%.3f", means[arm].Mean), fmt.Sprintf("of %d", means[arm].N), "", "")
	}
}

// writeArm prints a line; a long name stands on one of its own.
func writeArm(out io.Writer, name string, cells ...any) {
	if len(cells) == 6 { // the median and its interval are one cell
		median, interval, _ := strings.Cut(cells[0].(string), "\t")
		cells = append([]any{median, interval}, cells[1:]...)
	}
	const room = 14
	if utf8.RuneCountInString(name) > room {
		fmt.Fprintln(out, "  "+name)
		name = ""
	}
	fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf(pairLine, append([]any{name}, cells...)...), " "))
}

// timing is a median and its interval, with a tab between them.
func timing(s stats.Summary) string {
	if !s.Interval.Known() {
		return precise(s.Median) + "\t" + need(s.Need)
	}
	return precise(s.Median) + "\t" + precise(s.Interval.Lo) + "-" + precise(s.Interval.Hi)
}

func need(n int) string { return fmt.Sprintf("need ≥ %d", n) }

// count is the number of units, and what they are where not all pairs agree.
func count(p queries.Pair, s stats.Summary, pairs []queries.Pair) string {
	if p.Unit == "load" && slices.ContainsFunc(pairs, func(other queries.Pair) bool { return other.Unit != p.Unit }) {
		return fmt.Sprintf("%dld", s.N)
	}
	return fmt.Sprint(s.N)
}

// precise writes seconds with four digits or so, in at most six columns.
func precise(s float64) string {
	switch {
	case s >= 1000:
		return fmt.Sprintf("%.0f", s)
	case s >= 100:
		return fmt.Sprintf("%.1f", s)
	case s >= 10:
		return fmt.Sprintf("%.2f", s)
	case s >= 0.1:
		return fmt.Sprintf("%.3f", s)
	}
	return fmt.Sprintf("%.4f", s)
}

// ratioOrNothing is the ratio of medians, or ~ where it may be chance.
func ratioOrNothing(p queries.Pair, confidence float64) string {
	if !p.Significant(confidence) {
		return "~"
	}
	return fmt.Sprintf("%.3f", p.Ratio.Estimate)
}

// ratioInterval is the interval of the ratio, or how many it takes to tell.
func ratioInterval(p queries.Pair) string {
	switch {
	case p.Need > 0:
		return need(p.Need)
	case !p.Ratio.Interval.Known():
		return need(max(p.Before.Need, p.After.Need))
	}
	return interval(p.Ratio.Interval)
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

// fold breaks a text between words, to lines of at most 80 columns behind a
// head.
func fold(head, text string) string {
	const width = 80
	var b strings.Builder
	column := utf8.RuneCountInString(head)
	b.WriteString(head)
	for i, word := range strings.Fields(strings.ReplaceAll(text, " %", "\x00%")) {
		word = strings.ReplaceAll(word, "\x00", " ") // 5 % is not broken
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", utf8.RuneCountInString(head)))
			column = utf8.RuneCountInString(head)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

func writePairsMarkdown(out io.Writer, c queries.Contrast, pairs []queries.Pair) {
	fmt.Fprintf(out, "| %s, by %s | baseline | s | arm | s | ratio | %.4g %% interval | of means | p | n | notes |\n|---|---|---:|---|---:|---:|---|---:|---:|---:|---|\n", markdownCell(c.By), pairs[0].Unit, 100*c.Confidence)
	for _, p := range pairs {
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %.3f | %s | %d+%d | %s |\n", markdownCell(queries.GroupTitle(p, pairs)), markdownCell(p.Baseline), precise(p.Before.Median), markdownCell(p.Arm), precise(p.After.Median),
			ratioOrNothing(p, c.Confidence), ratioInterval(p), p.MeanRatio, pValue(p.AdjustedP), p.Before.N, p.After.N, markdownCell(strings.Join(p.Notes(), "; ")))
	}
	means := queries.GeometricMeans(pairs)
	for _, arm := range slices.Sorted(maps.Keys(means)) {
		fmt.Fprintf(out, "| **geometric mean** of %d | | | %s | | %.3f | | | | | |\n", means[arm].N, markdownCell(arm), means[arm].Mean)
	}
}

// finite is a number that JSON has.
func finite(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}
