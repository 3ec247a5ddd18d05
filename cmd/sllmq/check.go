package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
)

type checkOptions struct {
	filterFlags
	baseline, candidate string
	maxSlowdown         string
	confidence          float64
	noiseFloor          string
	format              string
}

// verdictError is a gate that did not open.
type verdictError struct {
	verdict stats.Verdict
	text    string
}

func (e *verdictError) Error() string { return e.text }

func newCheckCommand(env *environment) *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check",
		Short: "Say whether loading became slower, for CI",
		Long: `Say whether loading became slower, for CI.

Exit code 0: no regression. 5: a regression, which is significant and above both
--max-slowdown and the noise floor: how much A/A runs (collect --aa) differ and,
for arms that were measured at different times (more than 2 hours apart), how
much the baseline differs from itself from one time to the next. 6:
inconclusive, so that more sessions would tell, or the baseline measured at more
times.`,
		Example: `  sllmq check --baseline branch=main --candidate branch=mine --max-slowdown 5%
  sllmq check --baseline sllmq_version=v1.2.0 --format markdown`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.baseline, "baseline", "", "KEY=VALUE of the loads to hold against: a tag, or a column of load_facts")
	f.StringVar(&o.candidate, "candidate", "", "KEY=VALUE of the loads that are judged (default: every other value of the baseline's KEY)")
	f.StringVar(&o.maxSlowdown, "max-slowdown", "5%", "what is allowed")
	f.StringVar(&o.noiseFloor, "noise-floor", "", "a slowdown that means nothing on this machine (default: what A/A runs in the warehouse say)")
	f.Float64Var(&o.confidence, "confidence", 0.95, "of the intervals; one less it is the significance")
	f.StringVar(&o.format, "format", "table", "table, json, markdown")
	return c
}

// judged is one pair and what the gate says of it.
type judged struct {
	pairRow
	Verdict string  `json:"verdict"`
	Limit   float64 `json:"limit"` // a slowdown
	Reason  string  `json:"reason"`
}

func (o checkOptions) run(ctx context.Context, env *environment) error {
	if !slices.Contains([]string{"table", "json", "markdown"}, o.format) {
		return &usageError{fmt.Errorf("no format %q: use table, json or markdown", o.format)}
	}
	check, err := o.check()
	if err != nil {
		return err
	}
	checked, err := answer(ctx, env, check.Ask)
	if err != nil {
		return err
	}
	if err := o.write(env, check, checked); err != nil {
		return err
	}
	if checked.Verdict != stats.NoRegression {
		return &verdictError{checked.Verdict, checked.Verdict.String()}
	}
	return nil
}

// check reads what is asked.
func (o checkOptions) check() (c queries.Check, err error) {
	if c.Contrast, err = o.contrast(); err != nil {
		return c, err
	}
	if !(o.confidence > 0.5 && o.confidence < 1) {
		return c, &usageError{fmt.Errorf("--confidence %g is not between 0.5 and 1", o.confidence)}
	}
	if c.MaxSlowdown, err = parseShare("--max-slowdown", o.maxSlowdown); err != nil {
		return c, err
	}
	if o.noiseFloor != "" {
		floor, err := parseShare("--noise-floor", o.noiseFloor)
		if err != nil {
			return c, err
		}
		c.NoiseFloor = &floor
	}
	return c, nil
}

// parseShare reads 5% or 0.05.
func parseShare(flag, text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	switch {
	case err != nil || !(v >= 0) || math.IsInf(v, 0):
		return 0, &usageError{fmt.Errorf("%s %q is no share: write 5%% or 0.05", flag, text)}
	case !percent && v >= 1:
		return 0, &usageError{fmt.Errorf("%s %s is %.0f %%: write %[2]s%% if that is not meant, or %.0[3]f%%", flag, text, 100*v)}
	}
	return v, nil
}

// contrast makes two arms of the baseline and the candidate.
func (o checkOptions) contrast() (c queries.Contrast, err error) {
	if c.Filter, err = o.parse(); err != nil {
		return c, err
	}
	key, value, ok := strings.Cut(o.baseline, "=")
	if !ok || key == "" || value == "" {
		return c, &usageError{errors.New("say what to hold against: --baseline KEY=VALUE")}
	}
	c.By, c.Baseline, c.Confidence = key, value, o.confidence
	if o.candidate == "" {
		return c, nil
	}
	other, wanted, ok := strings.Cut(o.candidate, "=")
	if !ok || other != key || wanted == "" || wanted == value {
		return c, &usageError{fmt.Errorf("--candidate %q is not another %s=VALUE", o.candidate, key)}
	}
	c.Arms = []string{value, wanted}
	return c, nil
}

// noiseWords say what the noise floor rests on, or why none is asked for.
func noiseWords(checked queries.Checked) (said []string) {
	n := checked.Noise
	if checked.Alone != "" {
		return []string{checked.Alone}
	}
	if n.Given != nil {
		return []string{fmt.Sprintf("noise floor given: %.1f %%", 100**n.Given)}
	}
	if n.Twins.Pairs == 0 {
		said = append(said, "no A/A runs in the warehouse (sllmq collect --aa): noise floor 0")
	} else {
		said = append(said, fmt.Sprintf("noise floor %.1f %%, of %d pairs of A/A sessions", 100*n.Twins.Floor, n.Twins.Pairs))
	}
	switch {
	case !checked.Apart:
	case n.Nights.Pairs == 0:
		said = append(said, "noise floor from one time to another not known: the baseline was measured at one time under these conditions")
	default:
		said = append(said, fmt.Sprintf("from one time to another %.1f %%, of %d pairs of times of the baseline, and less where arms were measured at several", 100*n.Nights.Floor, n.Nights.Pairs))
	}
	return append(said, n.Twins.Doubts...)
}

// urgency orders verdicts for people.
var urgency = map[stats.Verdict]int{stats.Regression: 0, stats.Inconclusive: 1, stats.NoRegression: 2}

func (o checkOptions) write(env *environment, check queries.Check, checked queries.Checked) error {
	// What is worst is read first.
	slices.SortStableFunc(checked.Pairs, func(a, b queries.Judged) int { return cmp.Compare(urgency[a.Verdict], urgency[b.Verdict]) })
	var pairs []queries.Pair
	for _, j := range checked.Pairs {
		pairs = append(pairs, j.Pair)
	}
	noise := strings.Join(noiseWords(checked), "; ")
	out := bufio.NewWriter(plain{env.stdout})
	switch o.format {
	case "json":
		list := []judged{}
		for _, j := range checked.Pairs {
			list = append(list, judged{newPairRow(check.Contrast, j.Pair), j.Verdict.String(), j.Limit, j.Reason})
		}
		e := json.NewEncoder(env.stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(struct {
			Verdict     string   `json:"verdict"`
			MaxSlowdown float64  `json:"max_slowdown"`
			Noise       []string `json:"noise"`
			Pairs       []judged `json:"pairs"`
		}{checked.Verdict.String(), check.MaxSlowdown, noiseWords(checked), list}); err != nil {
			return err
		}
	case "markdown":
		fmt.Fprintf(out, "**Loading time: %s**\n\n| what | baseline | s | candidate | s | slowdown | verdict | why |\n|---|---|---:|---|---:|---:|---|---|\n", checked.Verdict)
		for i, j := range checked.Pairs {
			why := strings.Join(append([]string{j.Reason}, j.Warnings...), "; ")
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %+.1f %% | %s | %s |\n", markdownCell(queries.GroupTitle(pairs[i], pairs)), markdownCell(j.Baseline), precise(j.Before.Median), markdownCell(j.Arm), precise(j.After.Median),
				100*(j.Factor.Estimate-1), j.Verdict, markdownCell(why))
		}
		fmt.Fprintf(out, "\nAllowed: %.4g %%; %s.\n", 100*check.MaxSlowdown, noise)
	default:
		if title := queries.CommonTitle(pairs); title != "" {
			fmt.Fprintln(out, fold("all: ", title))
		}
		for i, j := range checked.Pairs {
			fmt.Fprintln(out, fold(fmt.Sprintf("%-15s ", j.Verdict), queries.GroupTitle(pairs[i], pairs)))
			fmt.Fprintln(out, fold("    ", fmt.Sprintf("%s against %s, %d and %d %ss: %s", j.Arm, j.Baseline, j.After.N, j.Before.N, j.Unit, j.Reason)))
			for _, w := range j.Warnings {
				fmt.Fprintln(out, fold("    ! ", w))
			}
		}
		fmt.Fprintln(out, fold(checked.Verdict.String()+": ", fmt.Sprintf("allowed %.4g %%; %s", 100*check.MaxSlowdown, noise)))
	}
	return out.Flush()
}
