package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/render"
)

// newPlanCommand is collect --dry-run under its own name.
func newPlanCommand(env *environment) *cobra.Command {
	c := newCollectCommand(env)
	c.Use, c.Short = "plan", "Preview collect's disk, memory and time"
	c.Example = `  sllmq plan --model-name facebook/opt-6.7b --storage-path /mnt/nvme/models
  sllmq plan --model-name synthetic/qwen3-8b --storage-path . --num-replicas 5`
	// These fail only if the flag is missing, which a test of plan would find.
	_ = c.Flags().MarkHidden("dry-run")
	_ = c.Flags().Lookup("dry-run").Value.Set("true")
	return c
}

// preview prints the plan, or estimates for the models that have to be fetched
// first.
func preview(ctx context.Context, env *environment, found *collector.Resolved) error {
	rates, err := ratesHere(ctx, env, found.Machine.Machine)
	if err != nil {
		return err
	}
	if len(found.Absent) > 0 {
		return writeEstimates(env.stdout, found, rates)
	}
	plan, err := found.Plan()
	if err != nil {
		return nameFlag(err)
	}
	return writePlan(env.stdout, plan, env.warehouse, rates)
}

// writeEstimates prints what a benchmark would take of models that are not here.
func writeEstimates(w io.Writer, found *collector.Resolved, rates collector.Rates) error {
	t := newPlanTable()
	for _, m := range found.Absent {
		cost, err := found.Estimate(m)
		if err != nil {
			return nameFlag(err)
		}
		t.Line(fmt.Sprintf("%s, commit %.12s: %d files of %s, of which %s are to be fetched",
			m.Name, m.Model.Commit, len(m.Model.Files), size.Binary(m.Model.Bytes()), size.Binary(m.MissingBytes)))
		addCost(t, cost, rates, found.Request.NewTokens)
		if cost.WriteBytes > found.FreeBytes {
			t.Line(fmt.Sprintf("note: the storage path has %s free", size.Binary(found.FreeBytes)))
		}
	}
	return t.Write(w)
}

// ratesHere returns how fast a machine has been, by the warehouse. A warehouse that
// does not exist yet has no rates.
func ratesHere(ctx context.Context, env *environment, machine string) (collector.Rates, error) {
	rates := collector.Rates{Load: map[collector.LoadKind]float64{}}
	if _, err := os.Stat(env.warehouse); err != nil {
		return rates, nil
	}
	db, err := env.open(ctx)
	if err != nil {
		return rates, err
	}
	rows, err := queries.Rates(ctx, db.SQL(), machine)
	if err = errors.Join(err, db.Close()); err != nil {
		return rates, err
	}
	for _, r := range rows {
		rates.Load[collector.LoadKind{Format: r.Format, Loader: r.Loader, BenchmarkType: r.BenchmarkType}] = r.BytesPerS
		if r.DecodeBytesPerS != nil {
			rates.Decode = max(rates.Decode, *r.DecodeBytesPerS)
		}
	}
	return rates, nil
}

// newPlanTable returns a table of a plan's facts by their names.
func newPlanTable() *render.Table {
	return &render.Table{Gap: 1, Columns: []render.Column{{Width: 11}, {}}}
}

// addCost adds what a benchmark takes, with texts of newTokens.
func addCost(t *render.Table, c collector.Cost, rates collector.Rates, newTokens int) {
	times := c.Times(rates, newTokens)
	loads, texts := 0, 0
	for _, run := range c.Runs {
		loads += run.Loads
		texts += run.Texts
	}
	t.Row("disk", fmt.Sprintf("%s, of which %s are to be written", size.Binary(c.DiskBytes), size.Binary(c.WriteBytes)))
	t.Row("memory", fmt.Sprintf("at most %s per worker, %s of it on the device", size.Binary(c.MemoryBytes), size.Binary(c.DeviceBytes)))
	t.Row("time", fmt.Sprintf("about %s: fetching %s, writing %s, %d loads %s, %d texts %s",
		roughly(times.Total()), roughly(times.Fetch), roughly(times.Write), loads, roughly(times.Load), texts, roughly(times.Generate)))
	if times.Assumed {
		t.Row("", "(at assumed rates, except for loads that were measured here)")
	} else {
		t.Row("", "(loads and texts at rates measured here, fetching and writing at assumed rates)")
	}
}

// roughly formats a duration for people.
func roughly(d time.Duration) string {
	switch {
	case d <= 0:
		return "0s"
	case d < time.Second:
		return "1s"
	case d < 2*time.Minute:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

// writePlan prints what collect would do.
func writePlan(w io.Writer, p collector.Plan, warehousePath string, rates collector.Rates) error {
	q := p.Request
	t := newPlanTable()
	t.Row("warehouse", warehousePath)
	t.Row("storage", fmt.Sprintf("%s (%s free)", q.StoragePath, size.Binary(p.FreeBytes)))
	t.Row("order", fmt.Sprintf("seed %d", q.Seed))
	t.Row("loads", fmt.Sprintf("%d in all", p.Loads()))
	addCost(t, p.Cost(), rates, q.NewTokens)
	if len(q.Tags) > 0 {
		var tags []string
		for _, k := range slices.Sorted(maps.Keys(q.Tags)) {
			tags = append(tags, k+"="+q.Tags[k])
		}
		t.Row("tags", strings.Join(tags, " "))
	}
	out := bufio.NewWriter(w)
	if err := t.Write(out); err != nil {
		return err
	}
	fmt.Fprintln(out, "\ncheckpoints")
	for _, made := range p.Checkpoints {
		fmt.Fprintf(out, "  %s %s %s: %d replicas of %s in %d tensors, %s to be written\n", made.Model.Name, made.Format, made.DType,
			len(made.Dirs), size.Binary(made.ReplicaBytes), made.Tensors, size.Binary(made.MissingBytes))
	}
	fmt.Fprintln(out, "\nruns, in order")
	for _, group := range p.Groups {
		for _, run := range group {
			a := run.Arm
			fmt.Fprintf(out, "  %s %s %s by %s to %s, pages %s: %d sessions of %d loads, device %s, pool %s\n",
				a.Model, a.BenchmarkType, a.Format, a.Loader, a.Device, pastTense(run.PageCache),
				len(run.Sessions), len(run.Sessions[0]), size.Binary(run.Worker.DeviceBytes), size.Binary(run.Worker.PoolBytes))
		}
	}
	for _, n := range p.Notes {
		fmt.Fprintln(out, "note:", n)
	}
	return out.Flush()
}

func pastTense(pageCache string) string {
	if pageCache == collector.PageCacheDrop {
		return "dropped"
	}
	return "kept"
}
