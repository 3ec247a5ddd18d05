// Sllmq measures how fast LLM checkpoints load, keeps every measurement in a
// DuckDB warehouse, and answers questions about them.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/warehouse"
)

func main() {
	os.Exit(do(&environment{args: os.Args, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}))
}

// environment is what a command sees of the world.
type environment struct {
	args   []string // the program's name first
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string

	// Flags that every command has.
	warehouse string
	debug     bool
}

const (
	defaultWarehouse  = "sllmq.duckdb"
	warehouseVariable = "SLLMQ_WAREHOUSE"
)

// do runs the command line as a process and returns its exit code. SIGINT and
// SIGTERM end the command's context.
func do(env *environment) int {
	if err := moveToken(env.args, os.Environ()); err != nil {
		env.complain(err)
		return exitFailed
	}
	// A closed pipe or terminal is a failed write, not the end of a benchmark.
	// Listening for SIGPIPE, unlike ignoring it, leaves its default to the
	// programs that sllmq starts.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, env)
}

// run runs the command line and returns its exit code.
func run(ctx context.Context, env *environment) int {
	root := newRootCommand(env)
	root.SetArgs(env.args[1:])
	cmd, err := root.ExecuteContextC(ctx)
	return exitCode(env, cmd, err)
}

func newRootCommand(env *environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "sllmq",
		Short: "Measure how fast LLM checkpoints load, and query the measurements",
		Long: `sllmq measures how fast LLM checkpoints load from storage into device memory, in
ServerlessLLM's SLLM format and in SafeTensors. It keeps every measurement in
one DuckDB file, which it queries with SQL, summarizes, compares and exports.`,
		Example: `  sllmq collect --model-name synthetic/opt-125m --num-replicas 5 --storage-path ./models
  sllmq summary
  sllmq sql "select format, median(loading_time_s) from load_facts group by format"`,
		Args:          knownCommand,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(env.stdin)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{flagError(err)} })
	// Help is for terminals of 80 columns.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	flags := root.PersistentFlags()
	warehousePath := env.getenv(warehouseVariable)
	if warehousePath == "" {
		warehousePath = defaultWarehouse
	}
	flags.StringVar(&env.warehouse, "warehouse", warehousePath, "DuckDB file or Parquet folder with the measurements ($"+warehouseVariable+")")
	flags.BoolVar(&env.debug, "debug", false, "print the chain of an error")
	root.AddCommand(
		newCollectCommand(env), newPlanCommand(env), newRooflineCommand(env), newTuneCommand(env), newSQLCommand(env), newSummaryCommand(env), newQueryCommand(env), newCompareCommand(env), newCheckCommand(env), newTrendCommand(env), newPlotCommand(env), newReportCommand(env), newDoctorCommand(env), newRunsCommand(env), newModelsCommand(env),
		newStoreCommand(env), newImportCommand(env), newExportCommand(env), newVersionCommand(env), newWorkerCommand(env),
	)
	return root
}

// warehouseOptions are how every command opens the warehouse: it reports who
// holds it if it has to wait, and problems that it can work around.
func (env *environment) warehouseOptions() warehouse.Options {
	return warehouse.Options{
		LockWait: 5 * time.Minute,
		OnWait:   env.say,
		Warn:     env.say,
	}
}

// store is the warehouse that --warehouse names.
func (env *environment) store() warehouse.Store {
	return warehouse.At(env.warehouse, env.warehouseOptions())
}

// open opens the warehouse for reading.
func (env *environment) open(ctx context.Context) (*warehouse.DB, error) {
	return env.store().Open(ctx, warehouse.Access{})
}
