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
	"github.com/sllmq/sllmq/queries/render"
	"github.com/sllmq/sllmq/warehouse"
)

// collectOptions are the flags of collect.
type collectOptions struct {
	request       collector.Request
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

// referenceFlags are the flags of ServerlessLLM's benchmark scripts, each of which
// also reads an environment variable of its name. Other flags read a variable with
// the prefix SLLMQ_.
var referenceFlags = []string{"model-name", "num-replicas", "mem-pool-size", "benchmark-type", "storage-path", "results-path", "generate-plots", "keep-alive"}

// otherFlags do not follow this rule.
var otherFlags = []string{"help", "debug", "warehouse", "hf-token"}

const collectExample = `  # Both formats of a synthetic model, five cold loads each
  sllmq collect --model-name synthetic/opt-125m --num-replicas 5 --storage-path ./models

  # A matrix: two models, cold and cached, three interleaved sessions
  sllmq collect --model-name synthetic/opt-125m,synthetic/qwen3-0.6b \
    --benchmark-type random,cached --num-replicas 5 --sessions 3 --storage-path ./models

  # Preview disk, memory and time
  sllmq collect --model-name ./my-model --storage-path ./models --dry-run`

func newCollectCommand(env *environment) *cobra.Command {
	o := collectOptions{request: collector.DefaultRequest()}
	c := &cobra.Command{
		Use:     "collect",
		Short:   "Measure how fast checkpoints load, and record every load",
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
	for field, values := range collector.Choices() {
		// This fails only for a missing flag, which a test would find.
		_ = c.RegisterFlagCompletionFunc(flagOf[field], cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return c
}

func (o *collectOptions) addFlags(f *pflag.FlagSet) {
	c := &o.request
	o.poolSize = sizeValue{&c.PoolBytes}
	o.chunkSize = sizeValue{&c.ChunkBytes}
	o.ioSize = sizeValue{&c.IOBytes}
	f.StringSliceVar(&c.Models, "model-name", c.Models, "models: org/name[@revision] of the Hub, synthetic/NAME or a local folder (comma-separated)")
	f.IntVar(&c.Replicas, "num-replicas", c.Replicas, "replicas on disk for random; counted loads for cached")
	f.Var(&o.poolSize, "mem-pool-size", "host memory of the pool (the default is reduced to the available memory)")
	f.StringSliceVar(&c.BenchmarkTypes, "benchmark-type", c.BenchmarkTypes, "random (cold), cached or both")
	f.StringVar(&c.StoragePath, "storage-path", c.StoragePath, "folder for the replicas, on the storage to measure")
	f.StringVar(&o.resultsPath, "results-path", "/results", "folder for summary.txt, summary.json and benchmark.log (the default is used only if it exists)")
	f.BoolVar(&o.generatePlots, "generate-plots", false, "draw the mean loading times to summary.png in the results folder")
	f.BoolVar(&o.keepAlive, "keep-alive", false, "stay until a signal arrives when done (for pods)")
	f.StringSliceVar(&c.Formats, "format", nil, "safetensors, sllm (default: both)")
	f.StringSliceVar(&c.Loaders, "loader", nil, "mmap, mmap-parallel, pinned, direct, pool, store, raw (default: mmap-parallel for safetensors, pool for sllm); of engine transformers: from_pretrained, store")
	f.StringSliceVar(&c.Devices, "device", c.Devices, "where weights are loaded to: host, cuda:0, ... (comma-separated: one run each)")
	f.StringVar(&c.GDS, "gds", c.GDS, "how loader direct fills a GPU: off; require: GPUDirect Storage; compat: the cuFile library through host memory")
	f.StringVar(&c.DeviceMap, "device-map", c.DeviceMap, "auto: spread one model over the GPUs of --device, layer by layer")
	f.StringSliceVar(&c.Engines, "engine", c.Engines, "whose code loads: native, transformers (Python)")
	f.StringVar(&c.Python, "python", c.Python, "interpreter of engine transformers")
	f.StringVar(&c.DType, "dtype", c.DType, "type of the weights; auto: as in the model's files")
	f.IntVar(&c.Threads, "num-thread", c.Threads, "minimum number of concurrent reads of loaders pool, direct and raw")
	f.Var(&o.chunkSize, "chunk-size", "chunk size of the pool")
	f.IntVar(&c.IODepth, "io-depth", 0, "number of concurrent reads of loaders pool, direct and raw (default: the loader's; see sllmq tune)")
	f.Var(&o.ioSize, "io-size", "size of a read of these loaders (default: the loader's)")
	f.StringVar(&c.PageCache, "page-cache", "", "drop or keep the replica's pages before each load (default: drop for random, keep for cached)")
	f.StringVar(&c.Verify, "verify", c.Verify, "compare tensors with their checksums after the first load of each replica, all loads, or none")
	f.StringVar(&c.ReplicaMode, "replica-mode", c.ReplicaMode, "copy; reflink: replicas share blocks on the storage; auto: reflink where possible")
	f.StringVar(&c.Inference, "inference", c.Inference, "generate a text after all loads, the first load of each worker process, or none")
	f.StringVar(&c.Prompt, "prompt", c.Prompt, "text to continue")
	f.IntVar(&c.NewTokens, "max-new-tokens", c.NewTokens, "maximum number of tokens to generate")
	f.Float64Var(&c.Temperature, "temperature", c.Temperature, "sampling temperature; 0 is greedy")
	f.Float64Var(&c.TopP, "top-p", c.TopP, "sample from the most likely tokens with this total probability")
	f.Int64Var(&c.Seed, "seed", c.Seed, "seed of the order of loads and of sampling")
	f.IntVar(&c.Sessions, "sessions", c.Sessions, "worker processes per run; runs take turns by session")
	f.StringVar(&c.StoreAddress, "store-address", "", "HOST:PORT of a running sllm-store for loader store, with the same storage path (default: start one)")
	f.StringVar(&c.StoreProgram, "store-program", "", "sllm-store to start; sllmq: this program's own (default: sllm-store for GPUs if installed, else sllmq)")
	f.DurationVar(&c.LoadTimeout, "load-timeout", 0, "abort a load after this long (default: by size)")
	f.BoolVar(&o.noRoofline, "no-roofline", false, "do not measure storage and memory before each session: loads have no bound and no efficiency")
	f.BoolVar(&c.IOTrace, "io-trace", false, "record every read of loaders that issue their own")
	f.BoolVar(&c.Stream, "stream", false, "stream a model larger than the pool through it")
	f.BoolVar(&c.AA, "aa", false, "run every arm twice, tagged aa=a and aa=b, to estimate noise")
	f.StringArrayVar(&o.tags, "tag", nil, "KEY=VALUE to select the runs by (repeatable)")
	// moveToken reads it before there is a command; this is for the help.
	f.String("hf-token", "", "token for the Hub; prefer HF_TOKEN or huggingface_hub's token file")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and exit")
}

// sizeValue is a flag whose value is a size in bytes.
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

// fromEnvironment sets flags that were not given from environment variables.
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
	o.request.Roofline = !o.noRoofline
	o.request.PoolFixed = f.Changed("mem-pool-size")
	if !f.Changed("results-path") {
		if info, err := os.Stat(o.resultsPath); err != nil || !info.IsDir() {
			o.resultsPath = ""
		}
	}
	tags, err := parseTags(o.tags)
	o.request.Tags = tags
	return errors.Join(append(errs, err)...)
}

// storeLog returns the path of the log of an sllm-store: in the results folder,
// else beside the warehouse.
func storeLog(resultsPath, warehouse string) (string, error) {
	dir := resultsPath
	if dir == "" {
		dir = filepath.Dir(warehouse)
	}
	path, err := filepath.Abs(filepath.Join(dir, "sllm-store.log"))
	if err != nil {
		return "", fmt.Errorf("find the folder of sllm-store.log: %w", err)
	}
	return path, nil
}

func (o *collectOptions) run(ctx context.Context, env *environment) (err error) {
	if o.generatePlots && o.resultsPath == "" {
		return &usageError{errors.New("--generate-plots: name a results folder with --results-path")}
	}
	if o.request.StoreLog, err = storeLog(o.resultsPath, env.warehouse); err != nil {
		return err
	}
	if err := o.request.Validate(); err != nil {
		return &usageError{nameFlag(err)}
	}
	found, err := collector.Resolve(ctx, o.request, collector.ResolveOptions{Hub: env.hub, Preview: o.dryRun, Progress: newProgress(env.stderr, nil)})
	if err != nil {
		return nameFlag(err)
	}
	defer func() {
		if closeErr := found.Close(); err == nil {
			err = closeErr
		}
	}()
	if o.dryRun {
		return preview(ctx, env, found)
	}
	plan, err := found.Plan()
	if err != nil {
		return nameFlag(err)
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
		fmt.Fprintln(env.stderr, "done; waiting for a signal (--keep-alive)")
		<-ctx.Done()
	} else if result.Interrupted {
		return errInterrupted
	}
	if result.Failed > 0 {
		return &partialError{failed: result.Failed, loads: result.Loads}
	}
	return nil
}

// collect runs the plan and reports the result.
func (o *collectOptions) collect(ctx context.Context, env *environment, plan collector.Plan, log *benchmarkLog) (collector.Result, error) {
	self, err := os.Executable()
	if err != nil {
		return collector.Result{}, fmt.Errorf("find this program, to run workers: %w", err)
	}
	progress := newProgress(env.stderr, log.writer())
	options := env.warehouseOptions()
	options.OnWait = progress.Note
	sink := warehouse.At(env.warehouse, options)
	// This also checks that the warehouse can be written before anything is prepared.
	if err := endLost(ctx, sink, plan.Machine.ID, progress); err != nil {
		return collector.Result{}, err
	}
	result, err := collector.Run(ctx, plan, sink, progress, collector.Program{
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
	// An interrupted benchmark is reported too.
	return result, o.report(context.WithoutCancel(ctx), env, result)
}

// endLost marks the runs of collectors that died on this machine.
func endLost(ctx context.Context, sink warehouse.Store, machineID string, progress *progress) error {
	boot := machine.BootID()
	lost, err := warehouse.EndLost(ctx, sink, machineID, func(pid int64, bootID string) bool { return bootID == boot && machine.Alive(pid) })
	if lost > 0 {
		progress.Note(fmt.Sprintf("%d runs of a collector that died are marked lost; their loads are kept", lost))
	}
	return err
}

// report prints the summary of the collected loads, and writes it to the results
// folder.
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
	if err := render.Summary(env.stdout, rows); err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "\nNext: sllmq sql%s \"select format, replica, loading_time_s, source_tier from load_facts where collect_id = '%s'\"\n",
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
		return render.Summary(w, rows)
	}); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(o.resultsPath, "summary.json"), func(w io.Writer) error {
		return render.ReferenceSummary(w, rows)
	})
}

// quoted quotes a word for a shell, if it has to be.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+,:=@%", r))
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// warehouseFlag returns the flag by which another command reads this one's
// warehouse, with a leading space; empty for the default.
func warehouseFlag(env *environment) string {
	if env.warehouse == defaultWarehouse {
		return ""
	}
	return " --warehouse " + quoted(env.warehouse)
}

// benchmarkLog is benchmark.log in the results folder; without one it is empty.
type benchmarkLog struct{ f *os.File }

func (o *collectOptions) openLog() (*benchmarkLog, error) {
	if o.resultsPath == "" {
		return &benchmarkLog{}, nil
	}
	if err := os.MkdirAll(o.resultsPath, 0o755); err != nil {
		return nil, fmt.Errorf("create the results folder: %w", err)
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
