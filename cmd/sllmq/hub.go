package main

import (
	"context"
	"fmt"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/collector/hub"
)

// hub is the Hub as the environment has it.
func (env *environment) hub() (*hub.Client, error) {
	options, err := hub.FromEnvironment(env.getenv)
	if err != nil {
		return nil, err
	}
	return hub.New(options)
}

// sayAbsent prints what would have to be fetched before there can be a plan.
func sayAbsent(ctx context.Context, env *environment, client *hub.Client, models []collector.HubModel) (absent bool, err error) {
	for _, named := range models {
		model, err := client.Find(ctx, named.Repo)
		if err != nil {
			return true, err
		}
		missing := client.MissingBytes(model)
		if missing == 0 {
			continue
		}
		absent = true
		if _, err := fmt.Fprintf(env.stdout, "%s, commit %.12s: %d files of %s, of which %s are to be fetched; the plan is made of them then\n",
			named.Name, model.Commit, len(model.Files), collector.ApproxSize(model.Bytes()), collector.ApproxSize(missing)); err != nil {
			return true, err
		}
	}
	return absent, nil
}
