package worker

import (
	"time"

	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
)

// options are what a loader is told of the store; a nil Store has none.
func (s *Store) options() loader.StoreOptions {
	if s == nil {
		return loader.StoreOptions{}
	}
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return loader.StoreOptions{
		Address: s.Address, Program: s.Program, StoragePath: s.StoragePath, Log: s.Log,
		StartTimeout: seconds(s.StartTimeoutS), LoadTimeout: seconds(s.LoadTimeoutS),
	}
}

// serverOf is the server that does a loader's work, if one does.
func serverOf(l loader.Loader) (loader.Server, bool) {
	served, ok := l.(loader.Served)
	if !ok {
		return loader.Server{}, false
	}
	return served.Server(), true
}

func servedBy(l loader.Loader) *ServedBy {
	server, ok := serverOf(l)
	if !ok {
		return nil
	}
	s := &ServedBy{Address: server.Address, Program: server.Program, Version: server.Version}
	if server.PID > 0 {
		s.PID, s.StartTimeS = new(int64(server.PID)), new(server.StartTime.Seconds())
	}
	return s
}

// usageWith is this process's usage and that of the server that was started for
// it.
func usageWith(server loader.Server) (machine.Usage, error) {
	own, err := machine.ReadUsage()
	if err != nil || server.PID == 0 {
		return own, err
	}
	other, err := machine.UsageOf(server.PID)
	return own.Add(other), err
}
