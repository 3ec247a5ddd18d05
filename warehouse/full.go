package warehouse

import (
	"errors"
	"regexp"

	"golang.org/x/sys/unix"
)

// ErrFull says that a warehouse could not grow.
var ErrFull = errors.New("no space left on its storage")

// fullText is how DuckDB, which keeps no error numbers, says so.
var fullText = regexp.MustCompile(`No space left on device|Disk quota exceeded|File too large`)

func isFull(err error) bool {
	return err != nil && (fullText.MatchString(err.Error()) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT))
}

// fullError is what could not be done for want of space.
type fullError struct {
	doing string
	err   error
}

func (e *fullError) Error() string {
	return e.doing + ": " + ErrFull.Error() + ": free some, or name another with --warehouse"
}
func (e *fullError) Unwrap() error        { return e.err }
func (e *fullError) Is(target error) bool { return target == ErrFull }
