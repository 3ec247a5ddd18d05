package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/internal/size"
)

type modelsOptions struct {
	storagePath string
	format      string
}

func newModelsCommand(env *environment) *cobra.Command {
	var o modelsOptions
	c := &cobra.Command{
		Use:   "models",
		Short: "Fetch models, and list, verify and remove prepared checkpoints",
		Example: `  sllmq models pull Qwen/Qwen3-0.6B
  sllmq models list --storage-path ./models
  sllmq models verify synthetic/opt-125m --storage-path ./models
  sllmq models rm synthetic/opt-125m --storage-path ./models`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	storage := env.getenv("STORAGE_PATH")
	if storage == "" {
		storage = collector.DefaultConfig().StoragePath
	}
	pull := &cobra.Command{
		Use:   "pull MODEL...",
		Short: "Fetch models of the Hub into its cache, or say that they are there",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{errors.New("name the models, as org/name[@revision]")}
			}
			return pullModels(cmd.Context(), env, args)
		},
	}
	pull.Flags().String("hf-token", "", "token for the Hub; better in HF_TOKEN or the file of its login")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the checkpoints that are prepared below the storage path",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.list(cmd.Context(), env) },
	}
	list.Flags().StringVar(&o.format, "format", "table", "table, json")
	verify := &cobra.Command{
		Use:   "verify [MODEL...]",
		Short: "Hold every prepared tensor against its source's checksum",
		RunE:  func(cmd *cobra.Command, args []string) error { return o.verify(cmd.Context(), env, args) },
	}
	rm := &cobra.Command{
		Use:   "rm MODEL...",
		Short: "Remove prepared checkpoints; what they were made from stays",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{errors.New("name the models, as sllmq models list does")}
			}
			return o.remove(cmd.Context(), env, args)
		},
	}
	for _, sub := range []*cobra.Command{list, verify, rm} {
		sub.Flags().StringVar(&o.storagePath, "storage-path", storage, "folder of the replicas ($STORAGE_PATH)")
	}
	c.AddCommand(pull, list, verify, rm)
	return c
}

func pullModels(ctx context.Context, env *environment, names []string) error {
	config := collector.Config{Models: names}
	models, err := config.FromHub()
	if err != nil {
		return err
	}
	if len(models) < len(names) {
		return &usageError{errors.New("a folder and a made-up model are there already: name models of the Hub")}
	}
	client, err := env.hub()
	if err != nil {
		return err
	}
	if config, err = config.Fetch(ctx, client, newProgress(env.stderr, nil)); err != nil {
		return err
	}
	for _, m := range models {
		s := config.Fetched[m.Name]
		if _, err := fmt.Fprintf(env.stdout, "%s, commit %.12s: %s\n", m.Name, s.Commit, s.Dir); err != nil {
			return err
		}
	}
	return nil
}

// listedModel is a prepared checkpoint as programs read it.
type listedModel struct {
	Model    string   `json:"model"`
	Source   string   `json:"source"`
	DType    string   `json:"dtype"`
	Format   string   `json:"format"`
	Replicas int      `json:"replicas"`
	Bytes    int64    `json:"bytes"`
	Dirs     []string `json:"dirs"`
}

func (o modelsOptions) list(ctx context.Context, env *environment) error {
	if o.format != "table" && o.format != "json" {
		return &usageError{fmt.Errorf("no format %q: use table or json", o.format)}
	}
	prepared, err := checkpoint.List(ctx, o.storagePath)
	if err != nil {
		return err
	}
	if o.format == "json" {
		list := []listedModel{}
		for _, p := range prepared {
			list = append(list, listedModel{p.Model, p.Source, p.DType, string(p.Format), len(p.Dirs), p.Bytes, p.Dirs})
		}
		e := json.NewEncoder(env.stdout)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	if len(prepared) == 0 {
		_, err := fmt.Fprintf(env.stdout, "nothing is prepared below %s\n", o.storagePath)
		return err
	}
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "model\tdtype\tformat\treplicas\tsize")
	for _, p := range prepared {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", p.Model, p.DType, p.Format, len(p.Dirs), size.Binary(p.Bytes))
	}
	return w.Flush()
}

// chosen are the prepared checkpoints of the named models, all if none is.
func (o modelsOptions) chosen(ctx context.Context, names []string) ([]checkpoint.Prepared, error) {
	prepared, err := checkpoint.List(ctx, o.storagePath)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(prepared, func(p checkpoint.Prepared) bool { return p.Model == name }) {
			return nil, fmt.Errorf("nothing of model %s is prepared below %s: sllmq models list says what is", name, o.storagePath)
		}
	}
	if len(names) > 0 {
		prepared = slices.DeleteFunc(prepared, func(p checkpoint.Prepared) bool { return !slices.Contains(names, p.Model) })
	}
	return prepared, nil
}

// verify goes on after a replica that is not whole, so that all are named.
func (o modelsOptions) verify(ctx context.Context, env *environment, names []string) error {
	prepared, err := o.chosen(ctx, names)
	if err != nil {
		return err
	}
	var bad []string
	for _, p := range prepared {
		for _, dir := range p.Dirs {
			err := checkpoint.Verify(ctx, dir)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			verdict := "whole"
			if err != nil {
				bad = append(bad, dir)
				verdict = err.Error()
			}
			if _, err := fmt.Fprintf(env.stdout, "%s: %s\n", dir, verdict); err != nil {
				return err
			}
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("not whole: %s: remove %s, and the next collect writes anew", howMany(int64(len(bad)), "replica"), strings.Join(bad, " "))
	}
	return nil
}

func (o modelsOptions) remove(ctx context.Context, env *environment, names []string) error {
	prepared, err := o.chosen(ctx, names)
	if err != nil {
		return err
	}
	for _, p := range prepared {
		if err := p.Remove(ctx); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(env.stdout, "removed %s of %s %s %s, %s\n", howMany(int64(len(p.Dirs)), "replica"), p.Model, p.DType, p.Format, size.Binary(p.Bytes)); err != nil {
			return err
		}
	}
	return nil
}
