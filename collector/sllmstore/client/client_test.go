package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/collector/sllmstore/storetest"
)

// dial starts a stand-in and returns a client of it.
func dial(t *testing.T, b storetest.Behaviour) *client.Client {
	t.Helper()
	p, _, err := start(t, b, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(p.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestErrorsNameTheStoreAndTheCall(t *testing.T) {
	for b, want := range map[storetest.Behaviour]codes.Code{
		storetest.Internal: codes.Internal,
		storetest.Crashes:  codes.Unavailable,
		storetest.Hangs:    codes.DeadlineExceeded,
	} {
		c := dial(t, b)
		if err := c.LoadToPool(t.Context(), "model", "replica"); err != nil {
			t.Errorf("%s: %v", b, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		err := c.Confirm(ctx, "model", "replica")
		cancel()
		var e *client.Error
		if !errors.As(err, &e) || e.Code != want || e.Unanswered() == (b == storetest.Internal) {
			t.Errorf("%s: %v", b, err)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "the store at "+c.Address+": ConfirmModel: ") || strings.Contains(text, "\n") {
			t.Errorf("%s: %q", b, text)
		}
		if errors.Is(err, context.DeadlineExceeded) != (b == storetest.Hangs) {
			t.Errorf("%s: error %v, want it to wrap the context's error only after a deadline", b, err)
		}
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	c := dial(t, storetest.Hangs)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := c.Confirm(ctx, "model", "replica"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

// A store that implements the contract alone can be described.
func TestAStoreWithoutTheSecondService(t *testing.T) {
	c := dial(t, storetest.Lies)
	s, err := c.Describe(t.Context())
	if err != nil || s.Beyond != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := c.Explain(t.Context(), "model", "replica"); err == nil {
		t.Error("Explain succeeded")
	}
	if err := c.Abandon(t.Context(), "model", "replica"); err == nil {
		t.Error("Abandon succeeded")
	}
}
