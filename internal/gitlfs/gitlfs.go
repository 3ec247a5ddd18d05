// Package gitlfs recognizes the pointers that a clone without git-lfs has in
// place of large files:
// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md.
package gitlfs

import (
	"errors"
	"io"
)

// ErrPointer reports that a file is a pointer.
var ErrPointer = errors.New("it is a git-lfs pointer: run git lfs pull")

const (
	begins   = "version https://git-lfs."
	maxBytes = 1024 // of a pointer, by the specification
)

// Check returns ErrPointer if a file of the given size in bytes is a pointer.
func Check(file io.ReaderAt, size int64) error {
	if size < int64(len(begins)) || size >= maxBytes {
		return nil
	}
	var head [len(begins)]byte
	if _, err := file.ReadAt(head[:], 0); err == nil && string(head[:]) == begins {
		return ErrPointer
	}
	return nil // the reader of the file reports the error
}
