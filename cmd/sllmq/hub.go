package main

import "github.com/sllmq/sllmq/collector/hub"

// hub returns a client of the Hub that is configured by environment variables.
func (env *environment) hub() (*hub.Client, error) {
	options, err := hub.FromEnvironment(env.getenv)
	if err != nil {
		return nil, err
	}
	return hub.New(options)
}
