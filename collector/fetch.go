package collector

import (
	"context"
	"fmt"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/hub"
)

// HubModel is a model of the Hub, under the name that it was asked for by.
type HubModel struct {
	Name string
	Repo hub.Repo
}

// FromHub lists the models that have to come from the Hub.
func (c Config) FromHub() ([]HubModel, error) {
	var models []HubModel
	for _, name := range c.Models {
		here, err := checkpoint.Resolvable(name)
		if err != nil {
			return nil, err
		}
		if here {
			continue
		}
		repo, err := hub.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("model %q is no folder, not synthetic/NAME, and no model of the Hub: %w", name, err)
		}
		models = append(models, HubModel{name, repo})
	}
	return models, nil
}

// Fetch brings the models that are on the Hub into its cache, and says in the
// configuration where they are. What is there is not fetched again.
func (c Config) Fetch(ctx context.Context, from *hub.Client, progress Progress) (Config, error) {
	models, err := c.FromHub()
	if err != nil || len(models) == 0 {
		return c, err
	}
	fetched := map[string]hub.Snapshot{}
	for _, m := range models {
		if fetched[m.Name], err = fetch(ctx, from, m.Repo, progress); err != nil {
			return c, err
		}
	}
	c.Fetched = fetched
	return c, nil
}

func fetch(ctx context.Context, from *hub.Client, repo hub.Repo, progress Progress) (hub.Snapshot, error) {
	model, err := from.Find(ctx, repo)
	if err != nil {
		return hub.Snapshot{}, err
	}
	if model.Cached {
		progress.Note(fmt.Sprintf("%s is taken from the cache, at commit %.12s; the Hub was not asked, or did not answer", repo, model.Commit))
	}
	missing := from.MissingBytes(model)
	if missing == 0 {
		return from.Download(ctx, model, nil)
	}
	if err := from.CheckSpace(model); err != nil {
		return hub.Snapshot{}, err
	}
	progress.Begin(fmt.Sprintf("fetching %s", repo), missing, Bytes)
	defer progress.End()
	return from.Download(ctx, model, progress.Add)
}

// resolve finds a model on this machine.
func (c Config) resolve(ctx context.Context, name string) (checkpoint.Model, error) {
	s, ok := c.Fetched[name]
	if !ok {
		return checkpoint.Resolve(ctx, name)
	}
	repo, err := hub.Parse(name)
	if err != nil {
		return checkpoint.Model{}, err
	}
	return checkpoint.ResolveFetched(ctx, repo.ID, s.Commit, s.Dir)
}
