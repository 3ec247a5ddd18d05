package server

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/stage"
)

// TestExplainOfALoadThatIsRefused finds a replica when its load has begun, and asks
// how it went once it has been refused. A client can't wait for the moment between
// the two.
func TestExplainOfALoadThatIsRefused(t *testing.T) {
	s := &Server{alive: t.Context()}
	x, err := s.beginCopying(t.Context(), "replica", "model", stage.Begin())
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.find("replica", "model")
	if err != nil {
		t.Fatal(err)
	}
	s.refuseCopying(x, status.Error(codes.ResourceExhausted, "every chunk is in use"))
	if _, err := found.explain(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("error %v, want why the load was refused", err)
	}
	if _, err := s.find("replica", "model"); status.Code(err) != codes.NotFound {
		t.Errorf("error %v, want that there is no such replica", err)
	}
}
