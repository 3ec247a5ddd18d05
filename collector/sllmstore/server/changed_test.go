package server_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/sllmstore/server"
)

// A client receives what is on storage now, whatever is in the pool and whether or
// not it asks for host memory first.
func TestAChangedModelIsReadAgain(t *testing.T) {
	s := start(t, func(o *server.Options) { o.PoolBytes = 20 * chunk })
	want := s.write(t, "model", 6*chunk, chunk+1)
	s.load(t, "model", "read", want)
	path := filepath.Join(s.dir, "model", "tensor.data_0")
	for name, put := range map[string]func(b []byte) error{
		"written in place": func(b []byte) error { return os.WriteFile(path, b, 0o644) },
		"replaced by rename": func(b []byte) error {
			return errors.Join(os.WriteFile(path+".new", b, 0o644), os.Rename(path+".new", path))
		},
	} {
		for _, first := range []bool{false, true} {
			time.Sleep(20 * time.Millisecond) // one tick of the filesystem's clock before Linux 6.13
			want[5] ^= 1
			if err := put(want[:6*chunk]); err != nil {
				t.Fatal(err)
			}
			replica := fmt.Sprint(name, first)
			if first {
				s.load(t, "model", replica, want)
			} else {
				s.loadTo(t, allocate(t, len(want)), "model", replica, want)
			}
			if e, err := s.Explain(t.Context(), "model", replica); err != nil || e.PoolHit {
				t.Errorf("%s: %+v, %v", replica, e, err)
			}
		}
	}
	s.load(t, "model", "found", want)
	if e, err := s.Explain(t.Context(), "model", "found"); err != nil || !e.PoolHit {
		t.Errorf("%+v, %v", e, err)
	}
}
