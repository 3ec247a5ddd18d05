package database

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/internal/text"
)

// Sentinels that callers act on.
var (
	ErrNewer     = errors.New("the warehouse was written by a newer sllmq")
	ErrNotDuckDB = errors.New("not a DuckDB file")
	ErrFull      = errors.New("no space left on its storage")
)

// Explain makes an error of opening the warehouse at path one line that says
// what to do.
func Explain(path string, err error) error {
	said := err.Error()
	switch {
	case errors.Is(err, ErrNewer):
		return fmt.Errorf("open warehouse %s: %w", path, err)
	case IsFull(err):
		return Full("open warehouse "+path, err)
	case strings.Contains(said, "newer version of DuckDB"):
		return fmt.Errorf("open warehouse %s: %w", path, newerFormat{})
	case strings.Contains(said, "not a valid DuckDB"), strings.Contains(said, "No magic bytes"):
		return fmt.Errorf("open warehouse %s: %w: name another with --warehouse", path, ErrNotDuckDB)
	case strings.Contains(said, "ead-only file system"):
		return fmt.Errorf("open warehouse %s: its file system is read-only: name another with --warehouse", path)
	case strings.Contains(said, "ermission denied"):
		return fmt.Errorf("open warehouse %s: permission denied: name another with --warehouse", path)
	}
	return fmt.Errorf("open warehouse %s: %w", path, OneLine(err))
}

// newerFormat is an ErrNewer of a file that some later DuckDB wrote.
type newerFormat struct{}

func (newerFormat) Error() string {
	return "its file format is from a later version of DuckDB: update sllmq"
}
func (newerFormat) Is(target error) bool { return target == ErrNewer }

// OneLine is err with its text on one line; nil stays nil.
func OneLine(err error) error {
	if err == nil {
		return nil
	}
	return &oneLine{err}
}

type oneLine struct{ err error }

func (e *oneLine) Error() string { return text.OneLine(e.err.Error()) }
func (e *oneLine) Unwrap() error { return e.err }

// WithoutStatement is what DuckDB said about a statement, on one line and
// without the statement, which is partly ours.
func WithoutStatement(err error) error {
	said, _, _ := strings.Cut(err.Error(), "\n\nLINE ")
	return errors.New(text.OneLine(said))
}

// fullText matches a full storage in the texts of DuckDB, which keeps no error
// numbers.
var fullText = regexp.MustCompile(`No space left on device|Disk quota exceeded|File too large`)

// IsFull reports whether err is of a storage that is full.
func IsFull(err error) bool {
	return err != nil && (fullText.MatchString(err.Error()) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT))
}

// Full is the error, an ErrFull, of what could not be done for want of space.
func Full(doing string, err error) error { return &fullError{doing, err} }

type fullError struct {
	doing string
	err   error
}

func (e *fullError) Error() string {
	return e.doing + ": " + ErrFull.Error() + ": free some, or name another with --warehouse"
}
func (e *fullError) Unwrap() error        { return e.err }
func (e *fullError) Is(target error) bool { return target == ErrFull }

// Missing is the error, an fs.ErrNotExist, of a warehouse that does not exist.
func Missing(path string) error { return &missingError{path} }

type missingError struct{ path string }

func (e *missingError) Error() string {
	return fmt.Sprintf("warehouse %s is not there: run sllmq collect first, or name one with --warehouse", e.path)
}
func (e *missingError) Unwrap() error { return fs.ErrNotExist }
