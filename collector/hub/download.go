package hub

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Snapshot is a model that lies whole in the cache.
type Snapshot struct {
	// Dir has the model's files under their names. Others may be there too
	// that someone else fetched.
	Dir    string
	Commit string
	Files  []File // the model's, as Find gave them
}

// Download brings what is missing of a model into the cache, several files at
// once, going on where an earlier try was cut off. Another process that
// fetches the same file is waited for. A file comes into place with its
// checksum checked, and the snapshot's weights after all that goes with them.
//
// progress, if not nil, is told how many bytes more are there, from several
// goroutines; the sum is what MissingBytes was, unless another process fetched
// the same meanwhile. On an error, ctx's too, what
// was fetched stays for the next try.
func (c *Client) Download(ctx context.Context, m Model, progress func(bytes int64)) (Snapshot, error) {
	if err := m.check(); err != nil {
		return Snapshot{}, err
	}
	if progress == nil {
		progress = func(int64) {}
	}
	missing := c.missing(m)
	if len(missing) > 0 && (c.offline || m.Cached) {
		return Snapshot{}, c.notCached(m.Repo)
	}
	if err := c.CheckSpace(m); err != nil {
		return Snapshot{}, err
	}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(c.parallel)
	begun := make([]int64, len(missing)) // all looked at before any goes on
	for i, f := range missing {
		begun[i] = c.begun(m, f)
	}
	for i, f := range missing {
		group.Go(func() error { return c.fetch(within, m, f, begun[i], progress) })
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return Snapshot{}, fmt.Errorf("download %s: %w", m.Repo, context.Cause(ctx))
		}
		return Snapshot{}, err
	}
	for _, f := range m.Files {
		if err := c.link(m, f); err != nil {
			return Snapshot{}, err
		}
	}
	// A cache that others keep may be read-only, and serves all the same.
	if err := c.refer(m); err != nil && len(missing) > 0 {
		return Snapshot{}, err
	}
	return Snapshot{Dir: c.snapshot(m), Commit: m.Commit, Files: slices.Clone(m.Files)}, nil
}
