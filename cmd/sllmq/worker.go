package main

import (
	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/collector/worker"
)

// newWorkerCommand is the process that loads checkpoints. Only collect starts it.
func newWorkerCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:    "worker",
		Short:  "Load checkpoints by requests on standard input",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return worker.Serve(cmd.Context(), env.stdin, env.stdout)
		},
	}
}
