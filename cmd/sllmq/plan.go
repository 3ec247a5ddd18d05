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
	"time"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/queries"
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
	out := bufio.NewWriter(w)
	for _, m := range found.Absent {
		cost, err := found.Estimate(m)
		if err != nil {
			return nameFlag(err)
		}
		fmt.Fprintf(out, "%s, commit %.12s: %d files of %s, of which %s are to be fetched\n",
			m.Name, m.Model.Commit, len(m.Model.Files), size.Binary(m.Model.Bytes()), size.Binary(m.MissingBytes))
		writeCost(out, cost, rates, found.Request.NewTokens)
		if cost.WriteBytes > found.FreeBytes {
			fmt.Fprintf(out, "note: the storage path has %s free\n", size.Binary(found.FreeBytes))
		}
	}
	return out.Flush()
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

// writeCost prints what a benchmark takes, with texts of newTokens.
func writeCost(out io.Writer, c collector.Cost, rates collector.Rates, newTokens int) {
	t := c.Times(rates, newTokens)
	loads, texts := 0, 0
	for _, run := range c.Runs {
		loads += run.Loads
		texts += run.Texts
	}
	fmt.Fprintf(out, "disk        %s, of which %s are to be written\n", size.Binary(c.DiskBytes), size.Binary(c.WriteBytes))
	fmt.Fprintf(out, "memory      at most %s per worker, %s of it on the device\n", size.Binary(c.MemoryBytes), size.Binary(c.DeviceBytes))
	fmt.Fprintf(out, "time        about %s: fetching %s, writing %s, %d loads %s, %d texts %s\n",
		roughly(t.Total()), roughly(t.Fetch), roughly(t.Write), loads, roughly(t.Load), texts, roughly(t.Generate))
	if t.Assumed {
		fmt.Fprintln(out, "            (at assumed rates, except for loads that were measured here)")
	} else {
		fmt.Fprintln(out, "            (loads and texts at rates measured here, fetching and writing at assumed rates)")
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
	out := bufio.NewWriter(w)
	q := p.Request
	fmt.Fprintf(out, "warehouse   %s\nstorage     %s (%s free)\norder       seed %d\nloads       %d in all\n",
		warehousePath, q.StoragePath, size.Binary(p.FreeBytes), q.Seed, p.Loads())
	writeCost(out, p.Cost(), rates, q.NewTokens)
	if len(q.Tags) > 0 {
		fmt.Fprint(out, "tags       ")
		for _, k := range slices.Sorted(maps.Keys(q.Tags)) {
			fmt.Fprintf(out, " %s=%s", k, q.Tags[k])
		}
		fmt.Fprintln(out)
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
