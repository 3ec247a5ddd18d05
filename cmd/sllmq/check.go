package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
--max-slowdown and the noise floor that A/A runs (collect --aa) measured.
6: inconclusive, so that more loads would tell.`,
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
	gate, err := o.gate()
	if err != nil {
		return err
	}
	contrast, err := o.contrast()
	if err != nil {
		return err
	}
	if o.noiseFloor == "" {
		if gate.NoiseFloor, err = o.measuredNoise(ctx, env, contrast); err != nil {
			return err
		}
	}
	pairs, err := ask(ctx, env, contrast)
	if err != nil {
		return err
	}
	var list []judged
	worst := stats.NoRegression
	for i, row := range pairRows(contrast, pairs) {
		evidence := pairs[i].Evidence()
		evidence.P = pairs[i].AdjustedP
		d, err := gate.Decide(evidence)
		if err != nil {
			return fmt.Errorf("judge %s: %w", strings.Join(pairs[i].Group, ", "), err)
		}
		if d.Verdict == stats.Regression && pairs[i].Unit == "load" && gate.NoiseFloor == 0 {
			// The loads of one session share their luck: against itself such an
			// arm is found slower far more often than the significance says.
			d.Verdict = stats.Inconclusive
			d.Reason += "; but one session an arm may be luck: collect with --sessions 4 or more, or give --noise-floor"
		}
		list = append(list, judged{row, d.Verdict.String(), d.Limit, d.Reason})
		switch {
		case d.Verdict == stats.Regression, d.Verdict == stats.Inconclusive && worst == stats.NoRegression:
			worst = d.Verdict
		}
	}
	if err := o.write(env, pairs, list, worst); err != nil {
		return err
	}
	if worst != stats.NoRegression {
		return &verdictError{worst, worst.String()}
	}
	return nil
}

// gate reads what is allowed.
func (o checkOptions) gate() (g stats.Gate, err error) {
	if !(o.confidence > 0.5 && o.confidence < 1) {
		return g, &usageError{fmt.Errorf("--confidence %g is not between 0.5 and 1", o.confidence)}
	}
	g.Alpha = 1 - o.confidence
	if g.MaxSlowdown, err = parseShare("--max-slowdown", o.maxSlowdown); err != nil {
		return g, err
	}
	if o.noiseFloor != "" {
		g.NoiseFloor, err = parseShare("--noise-floor", o.noiseFloor)
	}
	return g, err
}

// parseShare reads 5% or 0.05.
func parseShare(flag, text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 100) {
		return 0, &usageError{fmt.Errorf("%s %q is no share: write 5%% or 0.05", flag, text)}
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
	if !slices.Contains(queries.LoadColumns(), key) {
		c.By = "tag:" + key
	}
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

// measuredNoise is what A/A runs of the same loads say; without any it is 0.
func (o checkOptions) measuredNoise(ctx context.Context, env *environment, c queries.Contrast) (float64, error) {
	db, err := env.open(ctx)
	if err != nil {
		return 0, err
	}
	f := c.Filter
	f.Tags = nil // A/A runs need not have the tags that are compared
	noise, err := queries.NoiseFloor(ctx, db.SQL(), f, o.confidence)
	if err = errors.Join(err, db.Close()); err != nil {
		return 0, err
	}
	if noise.Pairs == 0 {
		env.say("no A/A runs in the warehouse: the noise floor is taken for 0 (measure it with sllmq collect --aa)")
	}
	return noise.Floor, nil
}

func (o checkOptions) write(env *environment, pairs []queries.Pair, list []judged, worst stats.Verdict) error {
	out := bufio.NewWriter(env.stdout)
	switch o.format {
	case "json":
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		if err := e.Encode(struct {
			Verdict string   `json:"verdict"`
			Pairs   []judged `json:"pairs"`
		}{worst.String(), list}); err != nil {
			return err
		}
	case "markdown":
		fmt.Fprintf(out, "**Loading time: %s**\n\n| what | baseline s | candidate s | ratio | verdict | why |\n|---|---:|---:|---:|---|---|\n", worst)
		for i, j := range list {
			fmt.Fprintf(out, "| %s | %.3f | %.3f | %.3f | %s | %s |\n", strings.ReplaceAll(queries.GroupTitle(pairs[i], pairs), "|", `\|`), j.BaselineMedianS, j.ArmMedianS, j.ShiftFactor, j.Verdict, j.Reason)
		}
	default:
		for i, j := range list {
			fmt.Fprintf(out, "%-15s %s, %s against %s: %s\n", j.Verdict, queries.GroupTitle(pairs[i], pairs), j.Arm, j.Baseline, j.Reason)
			for _, w := range pairs[i].Warnings {
				fmt.Fprintln(out, "    ! "+w)
			}
		}
	}
	return out.Flush()
}
