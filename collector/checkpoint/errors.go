package checkpoint

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrCorrupt is wrapped by every error that blames the content of a
// checkpoint's files, rather than the system that reads them.
var ErrCorrupt = errors.New("checkpoint is not whole")

// corruptError reads as its message alone and is still ErrCorrupt.
type corruptError struct{ msg string }

func (e corruptError) Error() string { return e.msg }
func (e corruptError) Unwrap() error { return ErrCorrupt }

// corrupt says what is wrong with a file's content.
func corrupt(format string, args ...any) error {
	return corruptError{fmt.Sprintf(format, args...)}
}

// fileError is an error that has no cause but what it says.
func fileError(op, path, msg string) error {
	return fmt.Errorf("%s %s: %s", op, path, msg)
}

// writeError adds what a person can do when a file could not be written.
func writeError(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("write %s: %w: free some, or ask for fewer replicas or another storage path", path, err)
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("write %s: %w: choose a storage path that can be written", path, err)
	}
	return fmt.Errorf("write %s: %w", path, err)
}
