package collector

import (
	"context"
	"fmt"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/hub"
)

// FromHub lists the models that have to come from the Hub.
func (c Config) FromHub() ([]hub.Repo, error) {
	var repos []hub.Repo
	for _, name := range c.Models {
		place, err := checkpoint.IsPlace(name)
		if err != nil {
			return nil, err
		}
		if place {
			continue
		}
		repo, err := hub.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("model %q is no folder, not synthetic/NAME, and no model of the Hub: %w", name, err)
		}
		repos = append(repos, repo)
	}
	return repos, nil
}

// Fetch brings the models that are on the Hub into its cache, and says in the
// configuration where they are. What is there is not fetched again.
func (c Config) Fetch(ctx context.Context, o hub.Options, progress Progress) (Config, error) {
	repos, err := c.FromHub()
	if err != nil || len(repos) == 0 {
		return c, err
	}
	o.Note = progress.Note
	fetched := map[string]hub.Snapshot{}
	for _, repo := range repos {
		snapshot, err := fetch(ctx, o, repo, progress)
		if err != nil {
			return c, err
		}
		fetched[repo.ID], fetched[repo.String()] = snapshot, snapshot
	}
	c.Fetched = fetched
	return c, nil
}

func fetch(ctx context.Context, o hub.Options, repo hub.Repo, progress Progress) (hub.Snapshot, error) {
	if !o.Offline {
		// How much there is to come; what is wrong here Download says too.
		if l, err := hub.List(ctx, o, repo); err == nil {
			if missing := hub.Missing(o, l); missing > 0 {
				progress.Begin(fmt.Sprintf("fetching %s", repo), missing)
				defer progress.End()
			}
		}
	}
	return hub.Download(ctx, o, repo, progress.Add)
}

// resolve finds a model on this machine.
func (c Config) resolve(name string) (checkpoint.Model, error) {
	if s, ok := c.Fetched[name]; ok {
		return checkpoint.ResolveFetched(s.Repo.ID, s.Commit, s.Dir)
	}
	return checkpoint.Resolve(name)
}
