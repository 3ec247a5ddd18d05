package hub

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// The kinds of errors, for errors.Is.
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

// kindError prints its message alone, and wraps its kind and its cause.
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

// fail returns an error of a kind with its own message.
func fail(kind error, format string, args ...any) error {
	return &kindError{kind: kind, msg: fmt.Sprintf(format, args...)}
}

// writeError adds what to do if the cache cannot be written. err names the file.
func writeError(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return &kindError{ErrDiskFull, err, fmt.Sprintf("%v: free some space and start again to continue, or set HF_HUB_CACHE to a larger disk", err)}
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: set HF_HUB_CACHE to a writable folder", err)
	}
	return fmt.Errorf("the Hub's cache: %w", err)
}
