// Package stage is the stopwatch of a load's parts.
//
// Whoever does the work says when a part begins and ends; the arithmetic is
// here. Parts of the same name, on whatever goroutine, are one stage.
package stage

import (
	"sync"
	"time"
)

// Stage is one part of a load. Durations are on the monotonic clock.
type Stage struct {
	Name  string        `json:"name"`
	Start time.Duration `json:"start"` // since the load began, of its first beginning
	End   time.Duration `json:"end"`   // since the load began, of its last end
	Busy  time.Duration `json:"busy"`  // summed over goroutines
	Bytes int64         `json:"bytes"`
}

// Timeline collects the stages of one load. It is for concurrent use.
type Timeline struct {
	start  time.Time
	mu     sync.Mutex
	stages []Stage
	traced bool
	chunks []Chunk
}

// Chunk is one request of a load, in the order of its life. Times are since
// the load began.
type Chunk struct {
	File   int           `json:"file"`   // its number
	Offset int64         `json:"offset"` // in the file
	Bytes  int64         `json:"bytes"`
	Thread int           `json:"thread"` // its place in the queue
	Queued time.Duration `json:"queued"` // it was handed to the queue: from here it waits for a thread and a buffer
	Start  time.Duration `json:"start"`  // the read began
	End    time.Duration `json:"end"`    // it was there
	Copied time.Duration `json:"copied"` // it was on the device; End where nothing is copied
}

// Begin starts a timeline now.
func Begin() *Timeline { return &Timeline{start: time.Now()} }

// Trace lets the timeline keep chunks, which costs the load a little.
func (t *Timeline) Trace() { t.traced = true }

// Chunk keeps a chunk, if the timeline is traced.
func (t *Timeline) Chunk(c Chunk) {
	if !t.traced {
		return
	}
	t.mu.Lock()
	t.chunks = append(t.chunks, c)
	t.mu.Unlock()
}

// Chunks are those that were kept, in the order in which they were done.
func (t *Timeline) Chunks() []Chunk {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Chunk(nil), t.chunks...)
}

// Start begins a part and returns what ends it, told how many bytes it
// brought.
func (t *Timeline) Start(name string) func(bytes int64) {
	begun := t.Elapsed()
	return func(bytes int64) { t.Add(name, begun, bytes) }
}

// Add counts a part that began at begun, by Elapsed, and ends now. It takes no
// memory, where the function that Start returns does: inner loops want this.
func (t *Timeline) Add(name string, begun time.Duration, bytes int64) {
	ended := t.Elapsed()
	t.Put(Stage{Name: name, Start: begun, End: ended, Busy: ended - begun, Bytes: bytes})
}

// Put counts a part that somebody else has measured.
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

// Elapsed is the time since the timeline began.
func (t *Timeline) Elapsed() time.Duration { return time.Since(t.start) }

// Stages are the stages so far, in the order in which they were first ended.
func (t *Timeline) Stages() []Stage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Stage(nil), t.stages...)
}
