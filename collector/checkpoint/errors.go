package checkpoint

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrCorrupt is wrapped by every error that blames the content of a
// checkpoint's files rather than the system that reads them.
var ErrCorrupt = errors.New("checkpoint is corrupt")

// corruptError prints its message alone and wraps ErrCorrupt.
type corruptError struct{ msg string }

func (e corruptError) Error() string { return e.msg }
func (e corruptError) Unwrap() error { return ErrCorrupt }

// corrupt returns an error that wraps ErrCorrupt.
func corrupt(format string, args ...any) error {
	return corruptError{fmt.Sprintf(format, args...)}
}

// fileError returns an error without a cause.
func fileError(op, path, msg string) error {
	return fmt.Errorf("%s %s: %s", op, path, msg)
}

// writeError adds what to do about a file that cannot be written.
func writeError(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("write %s: %w: free some space, use fewer replicas, or choose another storage path", path, err)
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("write %s: %w: choose a writable storage path", path, err)
	}
	return fmt.Errorf("write %s: %w", path, err)
}
