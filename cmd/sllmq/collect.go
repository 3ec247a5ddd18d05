package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/internal/atomicfile"
	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/plots/gallery"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/warehouse"
)

// collectOptions are the flags of collect that are not fields of the
// collector's own configuration.
type collectOptions struct {
	config        collector.Config
	poolSize      sizeValue
	chunkSize     sizeValue
	ioSize        sizeValue
	tags          []string
	resultsPath   string
	generatePlots bool
	keepAlive     bool
	dryRun        bool
	noRoofline    bool
}

// referenceFlags are those of ServerlessLLM's benchmark scripts, which read
// each from an environment variable of the same name; ours are read with
// SLLMQ_ before it.
var referenceFlags = []string{"model-name", "num-replicas", "mem-pool-size", "benchmark-type", "storage-path", "results-path", "generate-plots", "keep-alive"}

// otherFlags are those that no variable of this rule sets.
var otherFlags = []string{"help", "debug", "warehouse", "hf-token"}

const collectExample = `  # Both formats of a made-up model, five cold loads each
  sllmq collect --model-name synthetic/opt-125m --num-replicas 5 --storage-path ./models

  # A matrix: two models, cold and cached, three sessions that take turns
  sllmq collect --model-name synthetic/opt-125m,synthetic/qwen3-0.6b \
    --benchmark-type random,cached --num-replicas 5 --sessions 3 --storage-path ./models

  # What would it write and take?
  sllmq collect --model-name ./my-model --storage-path ./models --dry-run`

func newCollectCommand(env *environment) *cobra.Command {
	o := collectOptions{config: collector.DefaultConfig()}
	c := &cobra.Command{
		Use:     "collect",
		Short:   "Measure how fast checkpoints load, and keep every measurement",
		Example: collectExample,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.fromEnvironment(cmd.Flags(), env.getenv); err != nil {
				return err
			}
			return o.run(cmd.Context(), env)
		},
	}
	o.addFlags(c.Flags())
	for flag, values := range collector.Choices() {
		// It can fail only for a flag that is not there, which a test would see.
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return c
}

func (o *collectOptions) addFlags(f *pflag.FlagSet) {
	c := &o.config
	o.poolSize = sizeValue{&c.PoolBytes}
	o.chunkSize = sizeValue{&c.ChunkBytes}
	o.ioSize = sizeValue{&c.IOBytes}
	f.StringSliceVar(&c.Models, "model-name", c.Models, "models: org/name[@revision] of the Hub, synthetic/NAME or a local folder (several with commas)")
	f.IntVar(&c.Replicas, "num-replicas", c.Replicas, "replicas on disk for random; counted loads for cached")
	f.Var(&o.poolSize, "mem-pool-size", "host memory for the pool")
	f.StringSliceVar(&c.BenchmarkTypes, "benchmark-type", c.BenchmarkTypes, "random (cold) and cached")
	f.StringVar(&c.StoragePath, "storage-path", c.StoragePath, "folder for the replicas, on the storage to be measured")
	f.StringVar(&o.resultsPath, "results-path", "/results", "folder for summary.txt, summary.json and benchmark.log (the default only if it exists)")
	f.BoolVar(&o.generatePlots, "generate-plots", false, "draw the mean loading times as summary.png in the results folder")
	f.BoolVar(&o.keepAlive, "keep-alive", false, "stay when done, until a signal comes (for pods)")
	f.StringSliceVar(&c.Formats, "format", nil, "safetensors and sllm (default: both)")
	f.StringSliceVar(&c.Loaders, "loader", nil, "mmap, mmap-parallel, pinned, direct, pool, store, raw (default: mmap-parallel for safetensors, pool for sllm); of transformers: from_pretrained, store")
	f.StringSliceVar(&c.Devices, "device", c.Devices, "where the weights go: host, or cuda:0 and so on; several, with commas, are arms of their own")
	f.StringVar(&c.GDS, "gds", c.GDS, "how direct fills a GPU: off; require GPUDirect Storage; compat, its library through the host's memory")
	f.StringVar(&c.DeviceMap, "device-map", c.DeviceMap, "auto: spread one model over the GPUs of --device, layer by layer")
	f.StringSliceVar(&c.Engines, "engine", c.Engines, "who loads: native and transformers (Python's stack)")
	f.StringVar(&c.Python, "python", c.Python, "interpreter of the transformers engine")
	f.StringVar(&c.DType, "dtype", c.DType, "type of the weights; auto keeps a folder's own")
	f.IntVar(&c.Threads, "num-thread", c.Threads, "reads under way of pool, direct and raw, at least")
	f.Var(&o.chunkSize, "chunk-size", "chunk of the pool")
	f.IntVar(&c.IODepth, "io-depth", 0, "reads under way, of pool, direct and raw (default: theirs; see sllmq tune)")
	f.Var(&o.ioSize, "io-size", "bytes of a read, of those loaders (default: theirs)")
	f.StringVar(&c.PageCache, "page-cache", "", "before each load: drop or keep the replica's pages (default: drop for random, keep for cached)")
	f.StringVar(&c.Verify, "verify", c.Verify, "hold tensors against their checksums after the first load of each replica, all or none")
	f.StringVar(&c.ReplicaMode, "replica-mode", c.ReplicaMode, "copy; reflink, whose replicas share blocks on the storage; auto: reflink where it can be")
	f.StringVar(&c.Inference, "inference", c.Inference, "generate a text after all loads, the first of each worker process, or none")
	f.StringVar(&c.Prompt, "prompt", c.Prompt, "what the text goes on from")
	f.IntVar(&c.NewTokens, "max-new-tokens", c.NewTokens, "tokens of that text, at most")
	f.Float64Var(&c.Temperature, "temperature", c.Temperature, "of the tokens' draw; 0 takes the likeliest")
	f.Float64Var(&c.TopP, "top-p", c.TopP, "draw from this part of the probability")
	f.Int64Var(&c.Seed, "seed", c.Seed, "of the order of the loads, and of the tokens' draw")
	f.IntVar(&c.Sessions, "sessions", c.Sessions, "worker processes for each run; formats take turns")
	f.StringVar(&c.StoreAddress, "store-address", "", "the sllm-store that loader store is a client of, HOST:PORT; its storage path is --storage-path (default: one is started)")
	f.StringVar(&c.StoreProgram, "store-program", "", "the sllm-store that is started; sllmq is sllmq's own (default: sllm-store for GPUs if it is installed, else sllmq)")
	f.DurationVar(&c.LoadTimeout, "load-timeout", 0, "when a load is taken for hung (default: by its size)")
	f.BoolVar(&o.noRoofline, "no-roofline", false, "do not measure storage and memory before each session: loads get no bound and no efficiency")
	f.BoolVar(&c.IOTrace, "io-trace", false, "keep a row for each request of a load, by the loaders that make their own")
	f.BoolVar(&c.Stream, "stream", false, "let a model that is larger than the pool pass through it")
	f.BoolVar(&c.AA, "aa", false, "run each arm twice, tagged aa=a and aa=b: what differs is the machine's noise")
	f.StringArrayVar(&o.tags, "tag", nil, "KEY=VALUE to find the runs by (repeatable)")
	// Read by moveToken, before there is a command; here for its help.
	f.String("hf-token", "", "token for the Hub; better in HF_TOKEN or the file of its login")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and do nothing")
}

// sizeValue is a flag that holds a size in bytes.
type sizeValue struct{ bytes *int64 }

var _ pflag.Value = (*sizeValue)(nil)

func (v *sizeValue) String() string {
	if v.bytes == nil || *v.bytes == 0 {
		return ""
	}
	return size.Exact(*v.bytes)
}

func (v *sizeValue) Set(s string) (err error) {
	n, err := size.Parse(s)
	if err == nil {
		*v.bytes = n
	}
	return err
}

func (v *sizeValue) Type() string { return "size" }

// fromEnvironment sets the flags that were not given from their variables.
func (o *collectOptions) fromEnvironment(f *pflag.FlagSet, getenv func(string) string) error {
	var errs []error
	f.VisitAll(func(flag *pflag.Flag) {
		name := strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		if !slices.Contains(referenceFlags, flag.Name) {
			name = "SLLMQ_" + name
		}
		value := getenv(name)
		if flag.Changed || value == "" || slices.Contains(otherFlags, flag.Name) {
			return
		}
		if err := f.Set(flag.Name, value); err != nil {
			errs = append(errs, &usageError{fmt.Errorf("environment variable %s: %w", name, flagError(err))})
		}
	})
	o.config.Roofline = !o.noRoofline
	o.config.PoolAsked = f.Changed("mem-pool-size")
	if !f.Changed("results-path") {
		if info, err := os.Stat(o.resultsPath); err != nil || !info.IsDir() {
			o.resultsPath = ""
		}
	}
	tags, err := parseTags(o.tags)
	o.config.Tags = tags
	return errors.Join(append(errs, err)...)
}

// storeLog is where the output of an sllm-store goes: into the results folder,
// or beside the warehouse.
func storeLog(resultsPath, warehouse string) (string, error) {
	dir := resultsPath
	if dir == "" {
		dir = filepath.Dir(warehouse)
	}
	path, err := filepath.Abs(filepath.Join(dir, "sllm-store.log"))
	if err != nil {
		return "", fmt.Errorf("find the place of sllm-store.log: %w", err)
	}
	return path, nil
}

func (o *collectOptions) run(ctx context.Context, env *environment) (err error) {
	if o.generatePlots && o.resultsPath == "" {
		return &usageError{errors.New("--generate-plots draws into the results folder: name one with --results-path")}
	}
	if o.config.StoreLog, err = storeLog(o.resultsPath, env.warehouse); err != nil {
		return err
	}
	plan, err := o.plan(ctx, env)
	var usage *collector.UsageError
	if errors.As(err, &usage) {
		return &usageError{err}
	}
	if err != nil || len(plan.Groups) == 0 {
		return err
	}
	if o.dryRun {
		rates, err := ratesHere(ctx, env, plan.Config.StoragePath)
		if err != nil {
			return err
		}
		return writePlan(env.stdout, plan, env.warehouse, rates)
	}
	log, err := o.openLog()
	if err != nil {
		return err
	}
	result, err := o.collect(ctx, env, plan, log)
	if closeErr := log.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if o.keepAlive && !result.Interrupted {
		fmt.Fprintln(env.stderr, "done; staying until a signal comes (--keep-alive)")
		<-ctx.Done()
	} else if result.Interrupted {
		return errInterrupted
	}
	if result.Failed > 0 {
		return &partialError{failed: result.Failed, loads: result.Loads}
	}
	return nil
}

// plan makes the plan, which takes the models' files. A dry run fetches none: it
// says what they would take, and gives a plan of nothing.
func (o *collectOptions) plan(ctx context.Context, env *environment) (collector.Plan, error) {
	if err := o.config.Validate(); err != nil {
		return collector.Plan{}, err
	}
	asked, err := o.config.AskPython(ctx)
	if err != nil {
		return collector.Plan{}, err
	}
	o.config = asked
	fromHub, err := o.config.FromHub()
	if err != nil {
		return collector.Plan{}, err
	}
	if len(fromHub) == 0 {
		return collector.NewPlan(o.config)
	}
	client, err := env.hub()
	if err != nil {
		return collector.Plan{}, err
	}
	if o.dryRun {
		absent, err := o.planAbsent(ctx, env, client, fromHub)
		if err != nil || absent {
			return collector.Plan{}, err
		}
	}
	if o.config, err = o.config.Fetch(ctx, client, newProgress(env.stderr, nil)); err != nil {
		return collector.Plan{}, err
	}
	return collector.NewPlan(o.config)
}

// collect carries the plan out and says what came of it.
func (o *collectOptions) collect(ctx context.Context, env *environment, plan collector.Plan, log *benchmarkLog) (collector.Result, error) {
	self, err := os.Executable()
	if err != nil {
		return collector.Result{}, fmt.Errorf("find this program, to run workers: %w", err)
	}
	progress := newProgress(env.stderr, log.writer())
	options := env.warehouseOptions()
	options.OnWait = progress.Note
	sink := warehouse.At(env.warehouse, options)
	// The warehouse is tried before the first byte is prepared.
	if err := o.endLost(ctx, sink, progress); err != nil {
		return collector.Result{}, err
	}
	result, err := collector.Run(ctx, plan, sink, progress, collector.Host{
		WorkerCommand: []string{self, "worker"},
		StoreCommand:  []string{self, "store", "serve"},
		Version:       version(),
		CommandLine:   strings.Join(env.args, " "),
	})
	if err != nil {
		return result, err
	}
	if result.Loads == 0 {
		return result, nil
	}
	// The answer is wanted after an interruption too.
	return result, o.report(context.WithoutCancel(ctx), env, result)
}

// endLost marks the runs of collectors that died on this machine.
func (o *collectOptions) endLost(ctx context.Context, sink warehouse.Store, progress *progress) error {
	here, err := machine.Describe(ctx, o.config.StoragePath)
	if err != nil {
		return err
	}
	boot := machine.BootID()
	lost, err := warehouse.EndLost(ctx, sink, here.ID, func(pid int64, bootID string) bool { return bootID == boot && machine.Alive(pid) })
	if lost > 0 {
		progress.Note(fmt.Sprintf("%d runs of a collector that died are marked lost; their loads are kept", lost))
	}
	return err
}

// report prints the summary of what was collected, and writes it to the
// results folder.
func (o *collectOptions) report(ctx context.Context, env *environment, result collector.Result) error {
	db, err := env.open(ctx)
	if err != nil {
		return err
	}
	filter := queries.Filter{Collects: []string{result.CollectID}}
	rows, err := queries.Summary(ctx, db.SQL(), filter)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := writeSummary(env.stdout, rows); err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "\nGo on with: sllmq sql%s \"select format, replica, loading_time_s, source_tier from load_facts where collect_id = '%s'\"\n",
		warehouseFlag(env), result.CollectID)
	if o.resultsPath == "" {
		return nil
	}
	if o.generatePlots {
		drawn, err := drawFrom(ctx, env, gallery.Kinds()[0], filter)
		if err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(o.resultsPath, "summary.png"), func(w io.Writer) error {
			return plots.Encode(w, drawn, "png", plots.DefaultOptions())
		}); err != nil {
			return err
		}
	}
	if err := atomicfile.Write(filepath.Join(o.resultsPath, "summary.txt"), func(w io.Writer) error {
		return writeSummary(w, rows)
	}); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(o.resultsPath, "summary.json"), func(w io.Writer) error {
		return writeSummaryJSON(w, rows)
	})
}

// quoted is a word as a shell wants it.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+,:=@%", r))
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// warehouseFlag is what has to stand in a command for it to read what this one
// wrote.
func warehouseFlag(env *environment) string {
	if env.warehouse == defaultWarehouse {
		return ""
	}
	return " --warehouse " + quoted(env.warehouse)
}

// benchmarkLog is benchmark.log of the results folder, or nothing.
type benchmarkLog struct{ f *os.File }

func (o *collectOptions) openLog() (*benchmarkLog, error) {
	if o.resultsPath == "" {
		return &benchmarkLog{}, nil
	}
	if err := os.MkdirAll(o.resultsPath, 0o755); err != nil {
		return nil, fmt.Errorf("make --results-path: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(o.resultsPath, "benchmark.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return &benchmarkLog{f}, nil
}

func (l *benchmarkLog) writer() io.Writer {
	if l.f == nil {
		return nil
	}
	return l.f
}

func (l *benchmarkLog) close() error {
	if l.f == nil {
		return nil
	}
	return l.f.Close()
}
