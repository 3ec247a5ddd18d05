package hub

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Snapshot is a model that is complete in the cache.
type Snapshot struct {
	// Dir holds the model's files under their names. It may also hold files that
	// others downloaded.
	Dir    string
	Commit string
	Files  []File // of the model, as in Model.Files
}

// Download downloads the missing files of a model to the cache, several at
// once. It resumes interrupted downloads, and waits for other processes that
// download the same file. A file appears after its checksum has been verified,
// and in the snapshot the weights appear after all other files.
//
// Several goroutines call progress, unless it is nil, each with the number of
// bytes since its last call. They add up to what MissingBytes was, unless
// another process downloaded the same files. If Download fails or ctx ends, the
// next call continues with what has been downloaded.
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
	begun := make([]int64, len(missing)) // read before any download changes it
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
	// A complete cache may be read-only.
	if err := c.writeRef(m); err != nil && len(missing) > 0 {
		return Snapshot{}, err
	}
	return Snapshot{Dir: c.snapshot(m), Commit: m.Commit, Files: slices.Clone(m.Files)}, nil
}
