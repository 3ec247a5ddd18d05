package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/doctor"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/health"
	"github.com/sllmq/sllmq/warehouse"
)

type doctorOptions struct {
	machine doctor.Options
	format  string
}

func newDoctorCommand(env *environment) *cobra.Command {
	o := doctorOptions{machine: doctor.Options{StoragePath: collector.DefaultConfig().StoragePath, PoolBytes: collector.DefaultConfig().PoolBytes, Python: collector.DefaultConfig().Python}}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether warehouse and machine are ready to measure",
		Long: `Say whether the warehouse is whole and the machine is ready to measure.

ok is as it should be, none is not there and only some need it, warn makes
measurements worse or should be looked at, fail can't be used. What can be tried
is tried: memory is locked, a file on the storage path written, read past the
page cache and removed, a GPU copied to and from. Exit code 1 if anything fails.`,
		Example: "  sllmq doctor --storage-path /mnt/nvme/models\n  sllmq doctor --format json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// As collect reads them.
			for flag, variable := range map[string]string{"storage-path": "STORAGE_PATH", "python": "SLLMQ_PYTHON"} {
				if value := env.getenv(variable); value != "" && !cmd.Flags().Changed(flag) {
					if err := cmd.Flags().Set(flag, value); err != nil {
						return &usageError{fmt.Errorf("environment variable %s: %w", variable, err)}
					}
				}
			}
			return o.run(cmd.Context(), env)
		},
	}
	f := c.Flags()
	f.StringVar(&o.machine.StoragePath, "storage-path", o.machine.StoragePath, "folder for the replicas, on the storage to be measured ($STORAGE_PATH)")
	f.StringVar(&o.machine.Python, "python", o.machine.Python, "Python of the engine transformers ($SLLMQ_PYTHON)")
	f.StringVar(&o.format, "format", "table", "table, json")
	return c
}

// failedChecksError says that something can't be used.
type failedChecksError struct{ n int }

func (e *failedChecksError) Error() string {
	if e.n == 1 {
		return "one check failed"
	}
	return fmt.Sprintf("%d checks failed", e.n)
}

// examined is a finding and what it is about.
type examined struct {
	Of string `json:"of"` // warehouse or machine
	health.Finding
}

func (o doctorOptions) run(ctx context.Context, env *environment) error {
	if o.format != "table" && o.format != "json" {
		return &usageError{fmt.Errorf("no format %q: use table or json", o.format)}
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("name this machine: %w", err)
	}
	options := warehouse.Options{LockWait: 5 * time.Second}
	var all []examined
	for _, f := range warehouse.Examine(ctx, env.warehouse, options, warehouse.Host{Name: host, BootID: machine.BootID(), Alive: machine.Alive}) {
		all = append(all, examined{"warehouse", f})
	}
	for _, f := range doctor.Look(ctx, o.machine) {
		all = append(all, examined{"machine", f})
	}
	failed := 0
	for _, f := range all {
		if f.State == health.Fail {
			failed++
		}
	}
	out := bufio.NewWriter(env.stdout)
	if o.format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = e.Encode(all)
	} else {
		writeFindings(out, all)
	}
	if err := errors.Join(err, out.Flush(), ctx.Err()); err != nil {
		return err
	}
	if failed > 0 {
		return &failedChecksError{failed}
	}
	return nil
}

// writeFindings prints a line a finding and one for what to do, cut between words
// at 80 columns.
func writeFindings(out io.Writer, all []examined) {
	for i, f := range all {
		if i == 0 || f.Of != all[i-1].Of {
			fmt.Fprintln(out, f.Of)
		}
		fmt.Fprintln(out, fold(fmt.Sprintf("  %-4s  %-14s  ", f.State, f.Check), f.Saw))
		if f.Do != "" {
			fmt.Fprintln(out, fold(strings.Repeat(" ", 24)+"do: ", f.Do))
		}
	}
}
