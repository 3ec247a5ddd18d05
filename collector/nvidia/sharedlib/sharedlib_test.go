package sharedlib_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
)

func TestMissingFunctionsReturnMissing(t *testing.T) {
	l, err := sharedlib.Open("libsllmq-not-there.so", "libc.so.6")
	if err != nil {
		t.Skipf("no C library to try: %v", err)
	}
	if l.Name() != "libc.so.6" {
		t.Errorf("opened %q", l.Name())
	}
	var c struct {
		Abs     func(int32) int32        `c:"abs"`
		Missing func(int32, *byte) int32 `c:"sllmq_is_not_in_libc"`
	}
	l.Bind(&c)
	if got := c.Abs(-7); got != 7 {
		t.Errorf("abs(-7) = %d", got)
	}
	if got := c.Missing(1, nil); got != sharedlib.Missing {
		t.Errorf("a missing function returned %d", got)
	}
	if !l.Has("abs") || l.Has("sllmq_is_not_in_libc") {
		t.Error("Has is wrong")
	}
}

func TestOpenWithoutLibrary(t *testing.T) {
	_, err := sharedlib.Open("libsllmq-not-there.so", "/nor/this.so")
	if !errors.Is(err, sharedlib.ErrNotFound) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want one line of ErrNotFound", err)
	}
}
