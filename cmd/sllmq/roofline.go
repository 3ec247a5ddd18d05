package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/roofline"
	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/queries/render"
	"github.com/sllmq/sllmq/warehouse"
)

// surveyFlags are the flags that roofline and tune share.
type surveyFlags struct {
	request collector.Request
	format  string
	rounds  int
}

func (s *surveyFlags) add(f *pflag.FlagSet, env *environment, rounds int) {
	s.request = collector.DefaultRequest()
	s.request.Models = []string{"synthetic/opt-1.3b"}
	f.StringSliceVar(&s.request.Models, "model-name", s.request.Models, "model whose files are read; prepared if missing")
	f.StringVar(&s.request.StoragePath, "storage-path", cmp.Or(env.getenv("STORAGE_PATH"), s.request.StoragePath), "folder for the replica, on the storage to measure ($STORAGE_PATH)")
	f.StringVar(&s.request.DType, "dtype", s.request.DType, "data type of the weights; auto keeps a local model's own")
	f.StringVar(&s.format, "format", "sllm", "format of the replica: safetensors or sllm")
	f.IntVar(&s.rounds, "rounds", rounds, "trials of each setting, in turns")
}

// measure carries the survey out.
func (s *surveyFlags) measure(ctx context.Context, env *environment, o collector.SurveyOptions) ([]roofline.Measurement, error) {
	if s.rounds < 1 || s.rounds > 1000 {
		return nil, &usageError{fmt.Errorf("--rounds %d is not between 1 and 1000", s.rounds)}
	}
	o.Rounds = s.rounds
	s.request.Formats = []string{s.format}
	if err := s.request.Validate(); err != nil {
		return nil, &usageError{nameFlag(err)}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this executable, to start a worker: %w", err)
	}
	progress := newProgress(env.stderr, nil)
	options := env.warehouseOptions()
	options.OnWait = progress.Note
	all, err := collector.Survey(ctx, s.request, collector.ResolveOptions{Hub: env.hub, Progress: progress}, o, warehouse.At(env.warehouse, options),
		collector.Program{WorkerCommand: []string{self, "worker"}})
	return all, nameFlag(err)
}

func newRooflineCommand(env *environment) *cobra.Command {
	var s surveyFlags
	c := &cobra.Command{
		Use:     "roofline",
		Short:   "Measure the limits of storage, memory and copies to a GPU",
		Example: "  sllmq roofline --storage-path /mnt/nvme/models",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(s.request.Devices) != 1 {
				return &usageError{errors.New("--device must name one device")}
			}
			all, err := s.measure(cmd.Context(), env, collector.SurveyOptions{Settings: collector.RooflineSettings(), Copy: true})
			if err != nil {
				return err
			}
			return writeTrials(env.stdout, all)
		},
	}
	s.add(c.Flags(), env, 2)
	c.Flags().StringSliceVar(&s.request.Devices, "device", s.request.Devices, "also measure copies to this GPU, such as cuda:0")
	return c
}

func newTuneCommand(env *environment) *cobra.Command {
	var s surveyFlags
	c := &cobra.Command{
		Use:   "tune",
		Short: "Find the fastest queue depth and read size for a storage",
		Long: `Find the fastest queue depth and read size for a storage.

Queue depth and number of threads are the same here: pool, direct and raw use
one thread for each read in flight, which reads and then copies. So tune tries
depths x sizes, and --io-depth also sets the threads.`,
		Example: `  sllmq tune --storage-path /mnt/nvme/models
  sllmq collect --storage-path /mnt/nvme/models $(sllmq tune --storage-path /mnt/nvme/models --flags)`,
		Args: noArguments,
	}
	var flagsOnly bool
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := s.measure(cmd.Context(), env, collector.SurveyOptions{Settings: collector.TuneSettings()})
		if err != nil {
			return err
		}
		best := roofline.Summarize(all)[0]
		flags := fmt.Sprintf("--io-depth %d --io-size %s", best.Threads, size.Exact(best.IOBytes))
		if flagsOnly {
			_, err := fmt.Fprintln(env.stdout, flags)
			return err
		}
		if err := writeTrials(env.stdout, all); err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.stdout, "\nbest by medians: %s\n", flags)
		return err
	}
	s.add(c.Flags(), env, 5)
	c.Flags().BoolVar(&flagsOnly, "flags", false, "print only the best setting, as flags of collect")
	return c
}

// writeTrials prints one line per setting.
func writeTrials(w io.Writer, all []roofline.Measurement) error {
	t := render.Table{Gap: 1, Columns: []render.Column{
		{Title: "what", Width: 14}, {Title: "how", Width: 18}, {Title: "depth", Width: 6, Right: true}, {Title: "request", Width: 8, Right: true},
		{Title: "trials", Width: 7, Right: true}, {Title: "median GB/s", Right: true}, {Title: "best GB/s", Width: 10, Right: true},
	}}
	for _, s := range roofline.Summarize(all) {
		request := "-"
		if s.IOBytes > 0 {
			request = size.Exact(s.IOBytes)
		}
		t.Row(strings.ReplaceAll(s.Kind, "_", " "), s.Method, fmt.Sprint(s.Threads), request, fmt.Sprint(s.Trials), fmt.Sprintf("%.2f", s.Median/1e9), fmt.Sprintf("%.2f", s.Best/1e9))
	}
	return t.Write(w)
}
