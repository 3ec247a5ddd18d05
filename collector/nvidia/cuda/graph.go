package cuda

import "errors"

// Graph is recorded work, which a device repeats at the cost of one call.
type Graph struct {
	context *Context
	exec    uintptr
}

// Record calls f and records the work that f puts into the stream instead of
// doing it. Kernels keep the arguments they had then.
func (s *Stream) Record(f func() error) (_ *Graph, err error) {
	c := s.context
	// Relaxed capture lets other threads allocate meanwhile.
	if err := c.call("cuStreamBeginCapture", func(a *api) int32 { return a.StreamBeginCapture(s.handle, captureRelaxed) }); err != nil {
		return nil, err
	}
	failed := f()
	var recorded uintptr
	err = c.call("cuStreamEndCapture", func(a *api) int32 { return a.StreamEndCapture(s.handle, &recorded) })
	if recorded != 0 {
		defer func() {
			err = errors.Join(err, c.call("cuGraphDestroy", func(a *api) int32 { return a.GraphDestroy(recorded) }))
		}()
	}
	if failed != nil || err != nil {
		return nil, errors.Join(failed, err)
	}
	g := &Graph{context: c}
	if err := c.call("cuGraphInstantiate", func(a *api) int32 { return a.GraphInstantiate(&g.exec, recorded, 0) }); err != nil {
		return nil, err
	}
	return g, nil
}

// Launch puts the recorded work into a stream.
func (g *Graph) Launch(s *Stream) error {
	return g.context.call("cuGraphLaunch", func(a *api) int32 { return a.GraphLaunch(g.exec, s.handle) })
}

// Close frees the recording.
func (g *Graph) Close() error {
	return g.context.call("cuGraphExecDestroy", func(a *api) int32 { return a.GraphExecDestroy(g.exec) })
}
