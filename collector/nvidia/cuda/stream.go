package cuda

import "unsafe"

// Stream is a queue of work on a device. Streams run concurrently.
type Stream struct {
	context *Context
	handle  uintptr
}

// NewStream makes a stream that does not wait for others.
func (c *Context) NewStream() (*Stream, error) {
	s := &Stream{context: c}
	if err := c.call("cuStreamCreate", func(a *api) int32 { return a.StreamCreate(&s.handle, streamNonBlocking) }); err != nil {
		return nil, err
	}
	return s, nil
}

// Handle returns the stream's handle for other libraries.
func (s *Stream) Handle() uintptr { return s.handle }

// CopyToDevice puts a copy of b into the stream. b must not change before the
// stream has passed the copy. If b is not page-locked, the driver stages it before
// CopyToDevice returns.
func (s *Stream) CopyToDevice(to Pointer, b []byte) error {
	return s.context.copying("cuMemcpyHtoDAsync", b, func(a *api, host unsafe.Pointer, n uint64) int32 {
		return a.CopyHtoDAsync(uint64(to), host, n, s.handle)
	})
}

// CopyFromDevice puts a copy to b into the stream. b must be page-locked, and is
// filled when the stream has passed the copy.
func (s *Stream) CopyFromDevice(b []byte, from Pointer) error {
	return s.context.copying("cuMemcpyDtoHAsync", b, func(a *api, host unsafe.Pointer, n uint64) int32 {
		return a.CopyDtoHAsync(host, uint64(from), n, s.handle)
	})
}

// Synchronize waits until the stream has finished all its work.
func (s *Stream) Synchronize() error {
	return s.context.call("cuStreamSynchronize", func(a *api) int32 { return a.StreamSynchronize(s.handle) })
}

// Close frees the stream once it has finished all its work.
func (s *Stream) Close() error {
	return s.context.call("cuStreamDestroy", func(a *api) int32 { return a.StreamDestroy(s.handle) })
}

// Event marks a point in a stream.
type Event struct {
	context *Context
	handle  uintptr
}

// NewEvent makes an event to wait for, without timing.
func (c *Context) NewEvent() (*Event, error) {
	e := &Event{context: c}
	if err := c.call("cuEventCreate", func(a *api) int32 { return a.EventCreate(&e.handle, eventNoTiming) }); err != nil {
		return nil, err
	}
	return e, nil
}

// Record puts the event into a stream.
func (e *Event) Record(s *Stream) error {
	return e.context.call("cuEventRecord", func(a *api) int32 { return a.EventRecord(e.handle, s.handle) })
}

// Synchronize waits until the stream has reached the event.
func (e *Event) Synchronize() error {
	return e.context.call("cuEventSynchronize", func(a *api) int32 { return a.EventSynchronize(e.handle) })
}

// Close frees the event.
func (e *Event) Close() error {
	return e.context.call("cuEventDestroy", func(a *api) int32 { return a.EventDestroy(e.handle) })
}
