package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/doctor"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/queries/render"
	"github.com/sllmq/sllmq/warehouse"
)

type doctorOptions struct {
	machine doctor.Options
	format  formatFlag
}

func newDoctorCommand(env *environment) *cobra.Command {
	o := doctorOptions{machine: doctor.Options{StoragePath: collector.DefaultRequest().StoragePath, PoolBytes: collector.DefaultRequest().PoolBytes, Python: collector.DefaultRequest().Python}}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check warehouse and machine before measuring",
		Long: `Check whether the warehouse is intact and the machine is fit to measure on.

A check ends as ok, none (absent, and optional), warn (works, but measurements
suffer or somebody should look) or fail (unusable). Whatever can be tried is
tried: doctor locks memory, writes a file to the storage path, reads it past the
page cache and removes it, and copies to each GPU and back. Exit code 1 if a
check fails.`,
		Example: "  sllmq doctor --storage-path /mnt/nvme/models\n  sllmq doctor --format json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The same variables as collect.
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
	f.StringVar(&o.machine.StoragePath, "storage-path", o.machine.StoragePath, "folder for replicas, on the storage to measure ($STORAGE_PATH)")
	f.StringVar(&o.machine.Python, "python", o.machine.Python, "Python for the engine transformers ($SLLMQ_PYTHON)")
	o.format.add(c, render.FormatTable, render.FormatJSON)
	return c
}

// failedChecksError reports how many checks failed.
type failedChecksError struct{ n int }

func (e *failedChecksError) Error() string {
	if e.n == 1 {
		return "one check failed"
	}
	return fmt.Sprintf("%d checks failed", e.n)
}

// finding is a finding about the warehouse or the machine.
type finding struct {
	Of string `json:"of"` // warehouse or machine
	doctor.Finding
}

func (o doctorOptions) run(ctx context.Context, env *environment) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read this machine's name: %w", err)
	}
	options := warehouse.Options{LockWait: 5 * time.Second}
	var all []finding
	for _, f := range warehouse.Examine(ctx, env.warehouse, options, warehouse.Host{Name: host, BootID: machine.BootID(), Alive: machine.Alive}) {
		all = append(all, finding{"warehouse", doctor.Finding{Check: f.Check, State: doctor.State(f.State), Saw: f.Saw, Do: f.Do}})
	}
	for _, f := range doctor.Examine(ctx, o.machine) {
		all = append(all, finding{"machine", f})
	}
	failed := 0
	for _, f := range all {
		if f.State == doctor.Fail {
			failed++
		}
	}
	if o.format.name == render.FormatJSON {
		err = render.WriteJSON(env.stdout, all)
	} else {
		err = writeFindings(env.stdout, all)
	}
	if err := errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	if failed > 0 {
		return &failedChecksError{failed}
	}
	return nil
}

// writeFindings prints a row for each finding and one for its advice.
func writeFindings(out io.Writer, all []finding) error {
	const room = 80 - 2 - 4 - 2 - 14 - 2 // beside the indent, the state and the check
	t := render.Table{Indent: 2, Columns: []render.Column{{Width: 4}, {Width: 14}, {}}}
	for i, f := range all {
		if i == 0 || f.Of != all[i-1].Of {
			t.Line(f.Of)
		}
		t.Row(string(f.State), f.Check, render.Fold("", f.Saw, room))
		if f.Do != "" {
			t.Row("", "", render.Fold("do: ", f.Do, room))
		}
	}
	return t.Write(out)
}
