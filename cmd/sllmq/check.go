package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/render"
	"github.com/sllmq/sllmq/queries/stats"
)

type checkOptions struct {
	filterFlags
	baseline, candidate string
	maxSlowdown         string
	confidence          float64
	noiseFloor          string
	format              formatFlag
}

func newCheckCommand(env *environment) *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check",
		Short: "Fail if loading regressed",
		Long: `Fail if loading regressed, for CI.

Exit code 0: no regression. 5: a regression, which is significant and exceeds
both --max-slowdown and the noise floor. The noise floor is how much A/A runs
(collect --aa) differ and, for arms that were measured more than 2 hours apart,
how much the baseline differs from itself between such times. 6: inconclusive:
measure more sessions, or the baseline at more times.`,
		Example: `  sllmq check --baseline branch=main --candidate branch=mine --max-slowdown 5%
  sllmq check --baseline sllmq_version=v1.2.0 --format markdown`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	f := c.Flags()
	o.add(f)
	f.StringVar(&o.baseline, "baseline", "", "KEY=VALUE of the loads to compare with: a tag, or a column of load_facts")
	f.StringVar(&o.candidate, "candidate", "", "KEY=VALUE of the loads to judge (default: every other value of the baseline's KEY)")
	f.StringVar(&o.maxSlowdown, "max-slowdown", "5%", "largest slowdown that passes")
	f.StringVar(&o.noiseFloor, "noise-floor", "", "slowdown that is noise on this machine (default: from A/A runs in the warehouse)")
	f.Float64Var(&o.confidence, "confidence", 0.95, "confidence level (significance = 1 - level)")
	o.format.add(c, render.CheckFormats()...)
	return c
}

func (o checkOptions) run(ctx context.Context, env *environment) error {
	check, err := o.check()
	if err != nil {
		return err
	}
	checked, err := answer(ctx, env, check.Ask)
	if err != nil {
		return err
	}
	if err := render.Check(env.stdout, o.format.name, check, checked); err != nil {
		return err
	}
	if checked.Verdict != stats.NoRegression {
		return &verdictError{checked.Verdict}
	}
	return nil
}

// check reads the flags.
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
		return 0, &usageError{fmt.Errorf("%s %q is not a share: write 5%% or 0.05", flag, text)}
	case !percent && v >= 1:
		return 0, &usageError{fmt.Errorf("%s %s is %.0f %%: write %[2]s%% or %.0[3]f%%", flag, text, 100*v)}
	}
	return v, nil
}

// contrast reads the baseline and the candidate.
func (o checkOptions) contrast() (c queries.Contrast, err error) {
	if c.Filter, err = o.parse(); err != nil {
		return c, err
	}
	key, value, ok := strings.Cut(o.baseline, "=")
	if !ok || key == "" || value == "" {
		return c, &usageError{errors.New("no baseline: use --baseline KEY=VALUE")}
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
