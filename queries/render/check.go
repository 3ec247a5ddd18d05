package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/internal/text"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
)

// CheckFormats lists the formats of Check.
func CheckFormats() []string { return []string{FormatTable, FormatJSON, FormatMarkdown} }

// urgency orders verdicts for people: the worst comes first.
var urgency = map[stats.Verdict]int{stats.Regression: 0, stats.Inconclusive: 1, stats.NoRegression: 2}

// Check writes the verdicts of a check, the worst first.
func Check(w io.Writer, format string, check queries.Check, checked queries.Checked) error {
	judged := slices.SortedStableFunc(slices.Values(checked.Pairs), func(a, b queries.Judged) int { return cmp.Compare(urgency[a.Verdict], urgency[b.Verdict]) })
	var pairs []queries.Pair
	for _, j := range judged {
		pairs = append(pairs, j.Pair)
	}
	limits := fmt.Sprintf("%.4g %%; %s", 100*check.MaxSlowdown, strings.Join(noiseNotes(checked), "; "))
	switch format {
	case FormatTable:
		out := bufio.NewWriter(w)
		line := func(head, words string) { fmt.Fprintln(out, text.Printable(fold(head, words))) }
		if title := queries.CommonTitle(pairs); title != "" {
			line("all: ", title)
		}
		for _, j := range judged {
			line(fmt.Sprintf("%-15s ", j.Verdict), queries.GroupTitle(j.Pair, pairs))
			line("    ", fmt.Sprintf("%s against %s, %d and %d %ss: %s", j.Arm, j.Baseline, j.After.N, j.Before.N, j.Unit, j.Reason))
			for _, warning := range j.Warnings {
				line("    ! ", warning)
			}
		}
		line(checked.Verdict.String()+": ", "allowed "+limits)
		return out.Flush()
	case FormatMarkdown:
		return checkMarkdown(w, checked.Verdict, judged, pairs, limits)
	case FormatJSON:
		return checkJSON(w, check, checked, judged)
	}
	return CheckFormat(format, CheckFormats())
}

func checkMarkdown(w io.Writer, verdict stats.Verdict, judged []queries.Judged, pairs []queries.Pair, limits string) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "**Loading time: %s**\n\n", verdict)
	t := Table{Columns: []Column{
		{Title: "what"}, {Title: "baseline"}, {Title: "s", Right: true}, {Title: "candidate"}, {Title: "s", Right: true}, {Title: "slowdown", Right: true}, {Title: "verdict"}, {Title: "why"},
	}}
	for _, j := range judged {
		t.Row(queries.GroupTitle(j.Pair, pairs), j.Baseline, precise(j.Before.Median), j.Arm, precise(j.After.Median),
			fmt.Sprintf("%+.1f %%", 100*(j.Factor.Estimate-1)), j.Verdict.String(), strings.Join(append([]string{j.Reason}, j.Warnings...), "; "))
	}
	if err := t.Markdown(out); err != nil {
		return err
	}
	fmt.Fprintln(out, text.Printable("\nAllowed: "+limits+"."))
	return out.Flush()
}

// judgedRow is a verdict as programs read it.
type judgedRow struct {
	pairRow
	Verdict string  `json:"verdict"`
	Limit   float64 `json:"limit"` // a slowdown
	Reason  string  `json:"reason"`
}

func checkJSON(w io.Writer, check queries.Check, checked queries.Checked, judged []queries.Judged) error {
	rows := []judgedRow{}
	for _, j := range judged {
		rows = append(rows, judgedRow{newPairRow(check.Contrast, j.Pair), j.Verdict.String(), j.Limit, j.Reason})
	}
	return WriteJSON(w, struct {
		Verdict     string      `json:"verdict"`
		MaxSlowdown float64     `json:"max_slowdown"`
		Noise       []string    `json:"noise"`
		Pairs       []judgedRow `json:"pairs"`
	}{checked.Verdict.String(), check.MaxSlowdown, noiseNotes(checked), rows})
}

// noiseNotes say what the noise floor rests on.
func noiseNotes(checked queries.Checked) (notes []string) {
	n := checked.Noise
	if checked.Alone != "" {
		return []string{checked.Alone}
	}
	if n.Given != nil {
		return []string{fmt.Sprintf("noise floor given: %.1f %%", 100**n.Given)}
	}
	if n.Twins.Pairs == 0 {
		notes = append(notes, "noise floor 0: no A/A runs in the warehouse (sllmq collect --aa)")
	} else {
		notes = append(notes, fmt.Sprintf("noise floor %.1f %%, from %d pairs of A/A sessions", 100*n.Twins.Floor, n.Twins.Pairs))
	}
	switch {
	case !checked.Apart:
	case n.Nights.Pairs == 0:
		notes = append(notes, "noise floor between times unknown: the baseline was measured at one time only under these conditions")
	default:
		notes = append(notes, fmt.Sprintf("%.1f %% between times, from %d pairs of times of the baseline, and less where arms were measured at several times", 100*n.Nights.Floor, n.Nights.Pairs))
	}
	return append(notes, n.Twins.Doubts...)
}
