package worker

import (
	"context"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/sllmstore/client"
)

// server is the store of a worker that can't start one itself. A nil server is
// none.
type server struct {
	address   string
	program   string
	poolBytes *int64
	process   *client.Process // nil: it was there
}

// serverPatience is how long a store may take to give its memory back.
const serverPatience = 20 * time.Second

// serveFor starts the store that o asks for, if it asks for one, and puts its
// address in place.
func serveFor(ctx context.Context, o *Open) (*server, error) {
	if o.Store == nil {
		return nil, nil
	}
	s := &server{address: o.Store.Address}
	if s.address != "" {
		return s, nil
	}
	asked := o.Store.options()
	var err error
	s.process, err = client.Start(ctx, client.Command{
		Program: asked.Program, StoragePath: asked.StoragePath, Log: asked.Log,
		PoolBytes: o.PoolBytes, ChunkBytes: o.ChunkBytes, Threads: o.Threads,
	}, asked.StartTimeout)
	if err != nil {
		return nil, err
	}
	s.address, s.program, s.poolBytes = s.process.Address, asked.Program[0], &o.PoolBytes
	own := *o.Store
	own.Address = s.address
	o.Store = &own
	return s, nil
}

func (s *server) describe() *ServedBy {
	d := &ServedBy{Address: s.address, Program: s.program}
	if s.process != nil {
		d.PID, d.StartTimeS = new(int64(s.process.PID)), new(s.started().Seconds())
	}
	return d
}

// started is how long it took to be ready.
func (s *server) started() time.Duration {
	if s.process == nil {
		return 0
	}
	return s.process.StartTime
}

// usage is nothing for a server that was there: others may use it too.
func (s *server) usage() (machine.Usage, error) {
	if s.process == nil {
		return machine.Usage{}, nil
	}
	return machine.UsageOf(s.process.PID)
}

// stop ends a server that was started here.
func (s *server) stop() error {
	if s == nil || s.process == nil {
		return nil
	}
	return s.process.Stop(serverPatience)
}

func (s *server) kill() {
	if s != nil && s.process != nil {
		s.process.Kill()
	}
}

// account adds what was seen of a load from outside to what its worker told.
func (o *Outcome) account(u machine.Usage) {
	o.StorageReadBytes = u.StorageReadBytes
	o.CPUDelayS, o.BlockDelayS, o.MemoryDelayS = secondsOf(u.Delays.CPU), secondsOf(u.Delays.Block), secondsOf(u.Delays.Memory)
	if o.CPUUserS != nil && o.CPUSystemS != nil {
		*o.CPUUserS += u.CPUUser.Seconds()
		*o.CPUSystemS += u.CPUSystem.Seconds()
	}
	if o.MajorFaults != nil && o.MinorFaults != nil {
		*o.MajorFaults += u.MajorFaults
		*o.MinorFaults += u.MinorFaults
	}
}
