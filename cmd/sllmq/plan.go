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
	"github.com/sllmq/sllmq/collector/hub"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/queries"
)

// newPlanCommand is collect --dry-run under a name of its own.
func newPlanCommand(env *environment) *cobra.Command {
	c := newCollectCommand(env)
	c.Use, c.Short = "plan", "Say what collect would write, take and run, and do nothing"
	c.Example = `  sllmq plan --model-name facebook/opt-6.7b --storage-path /mnt/nvme/models
  sllmq plan --model-name synthetic/qwen3-8b --storage-path . --num-replicas 5`
	// Neither can fail for a flag that is there, as a test of plan shows.
	_ = c.Flags().MarkHidden("dry-run")
	_ = c.Flags().Lookup("dry-run").Value.Set("true")
	return c
}

// planAbsent tells what a benchmark would take of models that are not all
// fetched yet, from what the Hub says of them.
func (o *collectOptions) planAbsent(ctx context.Context, env *environment, client *hub.Client, models []collector.HubModel) (absent bool, err error) {
	rates, err := ratesHere(ctx, env, o.config.StoragePath)
	if err != nil {
		return false, err
	}
	out := bufio.NewWriter(env.stdout)
	for _, named := range models {
		model, err := client.Find(ctx, named.Repo)
		if err != nil {
			return true, err
		}
		missing := client.MissingBytes(model)
		if missing == 0 {
			continue
		}
		absent = true
		const maxConfig = 16 << 20
		text, err := client.ReadFile(ctx, model, "config.json", maxConfig)
		if err != nil && !errors.Is(err, hub.ErrNoFile) {
			return true, err
		}
		cost, err := o.config.EstimateCost(model, missing, text)
		if err != nil {
			return true, err
		}
		fmt.Fprintf(out, "%s, commit %.12s: %d files of %s, of which %s are to be fetched\n",
			named.Name, model.Commit, len(model.Files), size.Binary(model.Bytes()), size.Binary(missing))
		writeCost(out, cost, rates, o.config)
		free, err := machine.FreeSpace(o.config.StoragePath)
		if err != nil {
			return true, err
		}
		if cost.WriteBytes > free {
			fmt.Fprintf(out, "note: the storage path has %s free\n", size.Binary(free))
		}
	}
	return absent, out.Flush()
}

// ratesHere is how fast this machine was seen to be; a warehouse that is not
// there yet knows nothing.
func ratesHere(ctx context.Context, env *environment, storagePath string) (collector.Rates, error) {
	rates := collector.Rates{Load: map[collector.ArmCost]float64{}}
	if _, err := os.Stat(env.warehouse); err != nil {
		return rates, nil
	}
	here, err := machine.Describe(ctx, storagePath)
	if err != nil {
		return rates, err
	}
	db, err := env.open(ctx)
	if err != nil {
		return rates, err
	}
	rows, err := queries.Rates(ctx, db.SQL(), here.Machine)
	if err = errors.Join(err, db.Close()); err != nil {
		return rates, err
	}
	for _, r := range rows {
		rates.Load[collector.ArmCost{Format: r.Format, Loader: r.Loader, BenchmarkType: r.BenchmarkType}] = r.BytesPerS
		if r.DecodeBytesPerS != nil {
			rates.Decode = max(rates.Decode, *r.DecodeBytesPerS)
		}
	}
	return rates, nil
}

// writeCost prints what a benchmark takes.
func writeCost(out io.Writer, c collector.Cost, rates collector.Rates, config collector.Config) {
	t := c.Times(rates, config.NewTokens)
	loads, texts := 0, 0
	for _, arm := range c.Arms {
		loads += arm.Loads
		texts += arm.Texts
	}
	fmt.Fprintf(out, "disk        %s, of which %s are to be written\n", size.Binary(c.DiskBytes), size.Binary(c.WriteBytes))
	fmt.Fprintf(out, "memory      %s for a worker at most, %s of it on the device\n", size.Binary(c.MemoryBytes), size.Binary(c.DeviceBytes))
	fmt.Fprintf(out, "time        about %s: fetching %s, writing %s, %d loads %s, %d texts %s\n",
		roughly(t.Total()), roughly(t.Fetch), roughly(t.Write), loads, roughly(t.Load), texts, roughly(t.Generate))
	if t.Assumed {
		fmt.Fprintln(out, "            (fetching and writing at assumed rates, and loads where none were measured here)")
	} else {
		fmt.Fprintln(out, "            (loads and texts at the rates measured here, fetching and writing at assumed ones)")
	}
}

// roughly is a duration as people say it.
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
	c := p.Config
	fmt.Fprintf(out, "warehouse   %s\nstorage     %s (%s free)\norder       seed %d\nloads       %d in all\n",
		warehousePath, c.StoragePath, size.Binary(p.FreeBytes), c.Seed, p.Loads())
	writeCost(out, p.Cost(), rates, c)
	if len(c.Tags) > 0 {
		fmt.Fprint(out, "tags       ")
		for _, k := range slices.Sorted(maps.Keys(c.Tags)) {
			fmt.Fprintf(out, " %s=%s", k, c.Tags[k])
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
		for _, arm := range group {
			fmt.Fprintf(out, "  %s %s %s by %s to %s, pages %s: %d sessions of %d loads, device %s, pool %s\n",
				arm.Checkpoint.Model.Name, arm.BenchmarkType, arm.Worker.Format, arm.Loader, arm.Device, pastTense(arm.PageCache),
				len(arm.Sessions), len(arm.Sessions[0]), size.Binary(arm.Worker.DeviceBytes), size.Binary(arm.Worker.PoolBytes))
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
