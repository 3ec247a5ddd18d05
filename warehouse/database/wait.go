package database

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"
)

// Options are how a warehouse is shared with other processes, and where messages
// go. The zero value waits until the context ends and drops messages.
type Options struct {
	LockWait time.Duration     // how long to wait for another process; 0: until the context ends
	OnWait   func(line string) // called once, after five seconds of waiting, with a line that names the process
	Warn     func(line string) // called with lines for the user
}

// Access is what an open warehouse lets SQL do. The zero value reads.
type Access struct {
	Write bool // change rows; a missing file is created, and an older schema brought up to date
	Safe  bool // reach no settings, no extensions, and no other files
}

// Warning calls Warn if there is one.
func (o Options) Warning(line string) {
	if o.Warn != nil {
		o.Warn(line)
	}
}

// quietWait is how long to wait without a message.
const quietWait = 5 * time.Second

// HeldError reports that another process has what Wait waits for.
type HeldError struct{ Holder string }

func (e *HeldError) Error() string { return "held by " + e.Holder }

// Wait calls try until it succeeds or fails for another reason than that
// another process has the warehouse at path: a HeldError, or DuckDB's.
func (o Options) Wait(ctx context.Context, path string, try func() error) error {
	begun, told := time.Now(), false
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		err := try()
		if err == nil {
			return nil
		}
		holder, locked := lockHolder(err)
		if !locked {
			return Explain(path, err)
		}
		waited := time.Since(begun)
		if o.LockWait > 0 && waited > o.LockWait {
			return fmt.Errorf("open warehouse %s: it is in use by %s: try again later", path, holder)
		}
		if waited > quietWait && !told && o.OnWait != nil {
			o.OnWait(fmt.Sprintf("waiting for warehouse %s, in use by %s", path, holder))
			told = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("open warehouse %s: it is in use by %s: %w", path, holder, ctx.Err())
		case <-time.After(pause + rand.N(pause)):
		}
	}
}

// lockText matches DuckDB's error if another process has a file:
//
//	Could not set lock on file "x": Conflicting lock is held in /usr/bin/sllmq (PID 12)
var lockText = regexp.MustCompile(`Conflicting lock is held in (.*?) ?\(PID (\d+)\)`)

// IsLocked reports whether DuckDB failed because another process has the file.
func IsLocked(err error) bool { return strings.Contains(err.Error(), "Could not set lock") }

func lockHolder(err error) (holder string, locked bool) {
	var held *HeldError
	if errors.As(err, &held) {
		return held.Holder, true
	}
	if !IsLocked(err) {
		return "", false
	}
	m := lockText.FindStringSubmatch(err.Error())
	if m == nil {
		return "another process", true
	}
	return fmt.Sprintf("process %s (%s)", m[2], m[1]), true
}
