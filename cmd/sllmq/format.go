package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries/render"
)

// formatFlag is the flag --format of a command: one of the formats that its
// answer has.
type formatFlag struct {
	name    string
	allowed []string
}

// add gives a command the flag, with the formats that its answer has. The first
// is the default.
func (f *formatFlag) add(c *cobra.Command, allowed ...string) {
	f.name, f.allowed = allowed[0], allowed
	c.Flags().Var(f, "format", strings.Join(allowed, ", "))
	// It fails only for a flag that is not there.
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
}

// String implements pflag.Value.
func (f *formatFlag) String() string { return f.name }

// Type implements pflag.Value.
func (f *formatFlag) Type() string { return "string" }

// Set implements pflag.Value.
func (f *formatFlag) Set(name string) error {
	if err := render.CheckFormat(name, f.allowed); err != nil {
		return &formatError{err}
	}
	f.name = name
	return nil
}

// has reports whether the command supports a format.
func (f *formatFlag) has(name string) bool { return slices.Contains(f.allowed, name) }

// formatError reports a format that a command does not have.
type formatError struct{ error }
