// Package stage times the stages of a load: open, read, copy and so on.
//
// The code that does the work reports when a part begins and ends to a Timeline,
// which adds them up: parts with the same name, on any goroutine, are one stage.
package stage

import (
	"slices"
	"sync"
	"time"
)

// Stage is one stage of a load. Durations are monotonic.
type Stage struct {
	Name  string        `json:"name"`
	Start time.Duration `json:"start"` // of its first part, since the load began
	End   time.Duration `json:"end"`   // of its last part, since the load began
	Busy  time.Duration `json:"busy"`  // sum over all parts, which may overlap
	Bytes int64         `json:"bytes"`
}

// Timeline collects the stages of one load. It is safe for concurrent use.
type Timeline struct {
	start  time.Time
	mu     sync.Mutex
	stages []Stage
	traced bool
	chunks []Chunk
}

// Chunk is one read request of a load. Times are since the load began, in the
// order in which they occur.
type Chunk struct {
	File   int           `json:"file"`   // number
	Offset int64         `json:"offset"` // in the file
	Bytes  int64         `json:"bytes"`
	Thread int           `json:"thread"` // worker that carried it out
	Queued time.Duration `json:"queued"` // entered the queue, where it waits for a worker and its buffer
	Start  time.Duration `json:"start"`  // reading began
	End    time.Duration `json:"end"`    // reading ended
	Copied time.Duration `json:"copied"` // on the device; End if nothing is copied
}

// Begin returns a timeline that starts now.
func Begin() *Timeline { return &Timeline{start: time.Now()} }

// Trace makes the timeline keep chunks, which slows the load a little.
func (t *Timeline) Trace() { t.traced = true }

// Chunk records a chunk, if Trace has been called.
func (t *Timeline) Chunk(c Chunk) {
	if !t.traced {
		return
	}
	t.mu.Lock()
	t.chunks = append(t.chunks, c)
	t.mu.Unlock()
}

// Chunks returns the recorded chunks, in the order in which they ended.
func (t *Timeline) Chunks() []Chunk {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.chunks)
}

// Start begins a part. The returned function ends it, with the number of bytes it
// moved.
func (t *Timeline) Start(name string) func(bytes int64) {
	begun := t.Elapsed()
	return func(bytes int64) { t.Add(name, begun, bytes) }
}

// Add adds a part that began at begun, a result of Elapsed, and ends now. Unlike
// Start it does not allocate, so inner loops use it.
func (t *Timeline) Add(name string, begun time.Duration, bytes int64) {
	ended := t.Elapsed()
	t.Put(Stage{Name: name, Start: begun, End: ended, Busy: ended - begun, Bytes: bytes})
}

// Put adds a part that was measured elsewhere.
func (t *Timeline) Put(part Stage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.stages {
		if s := &t.stages[i]; s.Name == part.Name {
			s.Start, s.End = min(s.Start, part.Start), max(s.End, part.End)
			s.Busy += part.Busy
			s.Bytes += part.Bytes
			return
		}
	}
	t.stages = append(t.stages, part)
}

// Elapsed returns the time since the timeline began.
func (t *Timeline) Elapsed() time.Duration { return time.Since(t.start) }

// Stages returns the stages so far, in the order of their first parts' ends.
func (t *Timeline) Stages() []Stage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.stages)
}
