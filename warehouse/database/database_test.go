package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
		is   error
	}{
		{errors.New("IO Error: The file \"w\" exists, but it is not a valid DuckDB database file!"), "not a DuckDB file: name another with --warehouse", ErrNotDuckDB},
		{errors.New("IO Error: version number 69.\nThe database file was created with a newer version of DuckDB.\n"), "its file format is from a later version of DuckDB: update sllmq", ErrNewer},
		{fmt.Errorf("%w: its schema is version 99", ErrNewer), "the warehouse was written by a newer sllmq: its schema is version 99", ErrNewer},
		{errors.New("IO Error: Cannot open file \"w\": Read-only file system"), "its file system is read-only: name another with --warehouse", nil},
		{errors.New("IO Error: Cannot open file \"w\": Permission denied"), "permission denied: name another with --warehouse", nil},
		{fmt.Errorf("write: %w", unix.ENOSPC), "no space left on its storage: free some, or name another with --warehouse", ErrFull},
		{errors.New("something\n\n  else"), "something else", nil},
	} {
		err := Explain("w", c.err)
		if want := "open warehouse w: " + c.want; err.Error() != want {
			t.Errorf("%v:\n%s\nwant %s", c.err, err, want)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%v is not %v", err, c.is)
		}
	}
	if err := Missing("w"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

func TestWait(t *testing.T) {
	held := fmt.Errorf("open: %w", &HeldError{"process 7 (/bin/x)"})
	tries := 0
	err := Options{}.Wait(t.Context(), "w", func() error {
		if tries++; tries < 3 {
			return errors.New(`IO Error: Could not set lock on file "w": Conflicting lock is held in /bin/x (PID 7)`)
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
	begun := time.Now()
	err = Options{LockWait: 20 * time.Millisecond}.Wait(t.Context(), "w", func() error { return held })
	if err == nil || !strings.Contains(err.Error(), "in use by process 7 (/bin/x): try again later") || time.Since(begun) < 20*time.Millisecond {
		t.Errorf("after %s: %v", time.Since(begun), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := (Options{}).Wait(ctx, "w", func() error { return held }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the context ended: %v", err)
	}
	if err := (Options{}).Wait(t.Context(), "w", func() error { return errors.New("broken") }); err == nil || err.Error() != "open warehouse w: broken" {
		t.Errorf("another error: %v", err)
	}
}
