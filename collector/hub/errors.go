package hub

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// What callers tell apart with errors.Is.
var (
	ErrGated       = errors.New("access to the model is gated")
	ErrToken       = errors.New("the Hub refuses the token")
	ErrNoRepo      = errors.New("no such model")
	ErrNoRevision  = errors.New("no such revision")
	ErrNoFile      = errors.New("no such file")
	ErrDiskFull    = errors.New("not enough disk space")
	ErrNotCached   = errors.New("not in the cache")
	ErrUnreachable = errors.New("the Hub does not answer")
	ErrBadAnswer   = errors.New("the Hub's answer is not valid")
)

// kindError reads as its message alone, and is its kind and its cause.
type kindError struct {
	kind, cause error
	msg         string
}

func (e *kindError) Error() string { return e.msg }

func (e *kindError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

// fail is an error of a kind that is told in its own words.
func fail(kind error, format string, args ...any) error {
	return &kindError{kind: kind, msg: fmt.Sprintf(format, args...)}
}

// writeError adds what a person can do when the cache could not be written.
// The errors of package os that come here name the file.
func writeError(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return &kindError{ErrDiskFull, err, fmt.Sprintf("%v: free some and start again, what is there is kept, or set HF_HUB_CACHE to a larger disk", err)}
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: set HF_HUB_CACHE to a folder that can be written", err)
	}
	return fmt.Errorf("the Hub's cache: %w", err)
}
