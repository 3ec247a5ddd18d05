package main

import "github.com/sllmq/sllmq/collector/hub"

// hub is the Hub as the environment has it.
func (env *environment) hub() (*hub.Client, error) {
	options, err := hub.FromEnvironment(env.getenv)
	if err != nil {
		return nil, err
	}
	return hub.New(options)
}
