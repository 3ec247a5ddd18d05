package pool_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/sllmq/sllmq/collector/pool"
	"github.com/sllmq/sllmq/collector/stage"
)

// queued is a device that copies asynchronously: copies have arrived after Sync.
type queued struct {
	mu             sync.Mutex
	got            [][]byte
	begun          []func()
	begins, writes int
}

func newQueued(content [][]byte) *queued {
	q := &queued{}
	for _, b := range content {
		q.got = append(q.got, make([]byte, len(b)))
	}
	return q
}

func (q *queued) destination() pool.Destination {
	return pool.Destination{
		Write: func(file int, offset int64, b []byte) error {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.writes++
			copy(q.got[file][offset:], b)
			return nil
		},
		Begin: func(file int, offset int64, b []byte) error {
			q.begins++
			q.begun = append(q.begun, func() { copy(q.got[file][offset:], b) })
			return nil
		},
		Sync: func() error {
			for _, do := range q.begun {
				do()
			}
			q.begun = nil
			return nil
		},
	}
}

func (q *queued) check(t *testing.T, want [][]byte) {
	t.Helper()
	for i := range want {
		if !bytes.Equal(q.got[i], want[i]) {
			t.Errorf("file %d has wrong bytes", i)
		}
	}
}

func TestAResidentModelIsCopiedInOneGo(t *testing.T) {
	p := open(t, pool.Options{Bytes: 20 * chunk})
	other, otherContent := files(t, 2*chunk)
	load(t, p, other, otherContent)
	c, content := files(t, 5*chunk+13, 0, 3*chunk, 1)
	if _, ok := p.Resident(c); ok {
		t.Fatal("a model that was never loaded is resident")
	}
	// A model that is being read is copied part by part.
	f, q := fetch(t, p, c), newQueued(content)
	if err := f.CopyTo(t.Context(), stage.Begin(), q.destination()); err != nil {
		t.Fatal(err)
	}
	f.Release()
	q.check(t, content)
	if q.begins != 0 || q.writes < 9 {
		t.Errorf("%d writes and %d begun, want one or more per chunk", q.writes, q.begins)
	}
	r, ok := p.Resident(c)
	if !ok {
		t.Fatal("the model is not resident")
	}
	q = newQueued(content)
	clock := stage.Begin()
	if err := r.CopyTo(t.Context(), clock, q.destination()); err != nil {
		t.Fatal(err)
	}
	q.check(t, content)
	if q.begins != 3 || q.writes != 0 {
		t.Errorf("%d copies and %d writes, want one copy per file", q.begins, q.writes)
	}
	if s := clock.Stages(); len(s) != 1 || s[0].Name != "copy" || s[0].Bytes != c.FileBytes() {
		t.Errorf("stages %+v", s)
	}
	// Other devices are written to.
	q = newQueued(content)
	d := q.destination()
	d.Begin = nil
	if err := r.CopyTo(t.Context(), stage.Begin(), d); err != nil || q.writes < 9 {
		t.Errorf("%d writes, %v", q.writes, err)
	}
	q.check(t, content)
	r.Release()
	if err := p.Close(); err != nil {
		t.Errorf("close the pool: %v", err)
	}
}

// However a copy fails, nothing is in flight when CopyTo returns.
func TestNothingIsInFlightAfterCopyTo(t *testing.T) {
	p := open(t, pool.Options{Bytes: 20 * chunk})
	c, content := files(t, 2*chunk, chunk, chunk)
	load(t, p, c, content)
	broken := errors.New("broken")
	for name, spoil := range map[string]func(q *queued, d *pool.Destination, cancel func()){
		"broken": func(q *queued, d *pool.Destination, _ func()) {
			begin := d.Begin
			d.Begin = func(file int, offset int64, b []byte) error {
				if file == 2 {
					return broken
				}
				return begin(file, offset, b)
			}
		},
		"cancelled": func(_ *queued, _ *pool.Destination, cancel func()) { cancel() },
		"not synchronised": func(_ *queued, d *pool.Destination, _ func()) {
			sync := d.Sync
			d.Sync = func() error { return errors.Join(sync(), broken) }
		},
	} {
		f := fetch(t, p, c)
		q := newQueued(content)
		d := q.destination()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		spoil(q, &d, cancel)
		if err := f.CopyTo(ctx, stage.Begin(), d); !errors.Is(err, broken) && !errors.Is(err, context.Canceled) || len(q.begun) > 0 {
			t.Errorf("%s: %v with %d in flight", name, err, len(q.begun))
		}
		f.Release()
	}
}
