package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/hub"
	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/internal/text"
	"github.com/sllmq/sllmq/queries/render"
)

type modelsOptions struct {
	storagePath string
	format      formatFlag
}

func newModelsCommand(env *environment) *cobra.Command {
	var o modelsOptions
	c := &cobra.Command{
		Use:   "models",
		Short: "Fetch models; list, verify and remove prepared checkpoints",
		Example: `  sllmq models pull Qwen/Qwen3-0.6B
  sllmq models list --storage-path ./models
  sllmq models verify synthetic/opt-125m --storage-path ./models
  sllmq models rm synthetic/opt-125m --storage-path ./models`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	storage := env.getenv("STORAGE_PATH")
	if storage == "" {
		storage = collector.DefaultRequest().StoragePath
	}
	pull := &cobra.Command{
		Use:   "pull MODEL...",
		Short: "Fetch models from the Hub into its cache",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{errors.New("name the models: org/name[@revision]")}
			}
			return pullModels(cmd.Context(), env, args)
		},
	}
	pull.Flags().String("hf-token", "", "token for the Hub; prefer HF_TOKEN or huggingface_hub's token file")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the prepared checkpoints below the storage path",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.list(cmd.Context(), env) },
	}
	o.format.add(list, render.FormatTable, render.FormatJSON)
	verify := &cobra.Command{
		Use:   "verify [MODEL...]",
		Short: "Compare every prepared tensor with its source's checksum",
		RunE:  func(cmd *cobra.Command, args []string) error { return o.verify(cmd.Context(), env, args) },
	}
	rm := &cobra.Command{
		Use:   "rm MODEL...",
		Short: "Remove prepared checkpoints, but not the models they are from",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{errors.New("name the models, as listed by sllmq models list")}
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
	var repos []hub.Repo
	for _, name := range names {
		repo, onHub, err := collector.HubRepo(name)
		if err != nil {
			return err
		}
		if !onHub {
			return &usageError{fmt.Errorf("%s is a folder or a synthetic model: name models of the Hub", name)}
		}
		repos = append(repos, repo)
	}
	client, err := env.hub()
	if err != nil {
		return err
	}
	progress := newProgress(env.stderr, nil)
	for i, repo := range repos {
		s, err := collector.Fetch(ctx, client, repo, progress)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(env.stdout, "%s, commit %.12s: %s\n", names[i], s.Commit, s.Dir); err != nil {
			return err
		}
	}
	return nil
}

// listedModel is a prepared checkpoint in JSON.
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
	prepared, err := checkpoint.List(ctx, o.storagePath)
	if err != nil {
		return err
	}
	if o.format.name == render.FormatJSON {
		list := []listedModel{}
		for _, p := range prepared {
			list = append(list, listedModel{p.Model, p.Source, p.DType, string(p.Format), len(p.Dirs), p.Bytes, p.Dirs})
		}
		return render.WriteJSON(env.stdout, list)
	}
	if len(prepared) == 0 {
		_, err := fmt.Fprintf(env.stdout, "no checkpoints below %s\n", o.storagePath)
		return err
	}
	t := render.Table{Columns: []render.Column{{Title: "model"}, {Title: "dtype"}, {Title: "format"}, {Title: "replicas"}, {Title: "size"}}}
	for _, p := range prepared {
		t.Row(p.Model, p.DType, string(p.Format), fmt.Sprint(len(p.Dirs)), size.Binary(p.Bytes))
	}
	return t.Write(env.stdout)
}

// chosen returns the prepared checkpoints of the named models; of all if there are
// no names.
func (o modelsOptions) chosen(ctx context.Context, names []string) ([]checkpoint.Prepared, error) {
	prepared, err := checkpoint.List(ctx, o.storagePath)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(prepared, func(p checkpoint.Prepared) bool { return p.Model == name }) {
			return nil, fmt.Errorf("model %s has no checkpoint below %s: see sllmq models list", name, o.storagePath)
		}
	}
	if len(names) > 0 {
		prepared = slices.DeleteFunc(prepared, func(p checkpoint.Prepared) bool { return !slices.Contains(names, p.Model) })
	}
	return prepared, nil
}

// verify continues after a bad replica, so that all of them are listed.
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
			verdict := "ok"
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
		return fmt.Errorf("bad: %s: remove %s; the next collect writes new ones", text.Count(int64(len(bad)), "replica"), strings.Join(bad, " "))
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
		if _, err := fmt.Fprintf(env.stdout, "removed %s of %s %s %s, %s\n", text.Count(int64(len(p.Dirs)), "replica"), p.Model, p.DType, p.Format, size.Binary(p.Bytes)); err != nil {
			return err
		}
	}
	return nil
}
