package sharedlib_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sllmq/sllmq/collector/nvidia/sharedlib"
)

func TestAwait(t *testing.T) {
	failure := errors.New("failure")
	if n, err := sharedlib.Await(t.Context(), func() (int, error) { return 7, failure }); n != 7 || err != failure {
		t.Errorf("%d, %v, want 7, %v", n, err, failure)
	}
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	_, err := sharedlib.Await(ctx, func() (int, error) {
		cancel()
		<-release
		return 7, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}
