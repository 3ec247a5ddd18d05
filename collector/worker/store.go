package worker

import (
	"context"
	"strings"
	"time"

	"github.com/sllmq/sllmq/collector/sllmstore/client"
)

// storePatience is how long a store may take to give its memory back.
const storePatience = 20 * time.Second

// startStore starts the sllm-store that o asks for, on the worker's NUMA node,
// and puts its address and process into o. It returns nil if o asks for none, or
// for one that is running.
func startStore(ctx context.Context, o *Open, patience time.Duration) (*client.Process, error) {
	if o.Store == nil || o.Store.Address != "" {
		return nil, nil
	}
	command := o.Store.Command
	if o.Node != nil {
		command.Place = func() { placeThread(*o.Node) }
	}
	started, err := client.Start(ctx, command, patience)
	if err != nil {
		return nil, err
	}
	store := *o.Store
	store.Address, store.PID = started.Address, started.PID
	o.Store = &store
	return started, nil
}

// describeStore fills in the session's columns about the worker's store.
func (p *Process) describeStore() {
	s := &p.Session
	if p.opened.Store == nil {
		return
	}
	s.StoreAddress = &p.opened.Store.Address
	if p.store == nil {
		return
	}
	took := p.store.StartTime.Seconds()
	s.Store = new(strings.Join(p.opened.Store.Command.Program, " "))
	s.StorePID, s.StoreStartTimeS = new(int64(p.store.PID)), &took
	s.SetupTimeS = new(*s.SetupTimeS + took)
	if s.PoolBytes == nil {
		s.PoolBytes = &p.opened.Store.Command.PoolBytes
	}
}

// stopStore ends the store that was started for the worker, if there is one.
func (p *Process) stopStore() error {
	if p.store == nil {
		return nil
	}
	return p.store.Stop(storePatience)
}

func (p *Process) killStore() {
	if p.store != nil {
		p.store.Kill()
	}
}
