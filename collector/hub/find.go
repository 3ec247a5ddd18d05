package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Find resolves a revision to a commit, and returns the files of its checkpoint
// and their sizes. It writes nothing, and fails if a download would lack
// access. Offline, or if the Hub does not answer, it looks in the cache and
// finds complete checkpoints there.
func (c *Client) Find(ctx context.Context, r Repo) (Model, error) {
	if err := r.check(); err != nil {
		return Model{}, err
	}
	if c.offline {
		return c.findCached(r)
	}
	m, err := c.findOnHub(ctx, r)
	if err != nil && ctx.Err() != nil {
		return Model{}, fmt.Errorf("query %s for %s: %w", c.endpoint.Host, r, context.Cause(ctx))
	}
	if errors.Is(err, ErrUnreachable) {
		if cached, notCached := c.findCached(r); notCached == nil {
			return cached, nil
		}
	}
	return m, err
}

// findOnHub finds a model on the Hub.
func (c *Client) findOnHub(ctx context.Context, r Repo) (Model, error) {
	about := target{repo: r}
	b, err := c.small(ctx, c.modelAddress(r), maxListingBytes, about)
	if err != nil {
		return Model{}, err
	}
	l, err := parseListing(b)
	if err != nil {
		return Model{}, fail(ErrBadAnswer, "%s: the answer of %s is not valid: %v: correct HF_ENDPOINT, or choose another model", r, c.endpoint.Host, err)
	}
	if commitPattern.MatchString(r.Revision) && r.Revision != l.commit {
		return Model{}, fail(ErrBadAnswer, "%s: %s answered with commit %s: correct HF_ENDPOINT", r, c.endpoint.Host, l.commit)
	}
	m := Model{Repo: r, Commit: l.commit}
	has := func(name string) bool { _, ok := l.files[name]; return ok }
	read := func(name string) ([]byte, error) {
		f, err := c.complete(ctx, m, l.files[name])
		if err != nil {
			return nil, err
		}
		l.files[name] = f
		return c.content(ctx, m, f, maxIndexBytes)
	}
	kind, names, err := choose(has, slices.Collect(maps.Keys(l.files)), read)
	if err != nil {
		if _, ok := errors.AsType[*kindError](err); ok {
			return Model{}, err
		}
		return Model{}, fmt.Errorf("%s has no checkpoint: %w: choose another model or revision", r, err)
	}
	m.Weights = kind
	for _, name := range names {
		f, err := c.complete(ctx, m, l.files[name])
		if err != nil {
			return Model{}, err
		}
		m.Files = append(m.Files, f)
	}
	if l.gated {
		// Anyone may list a gated model, but not read its files.
		if _, err := c.head(ctx, m, m.Files[len(m.Files)-1]); err != nil {
			return Model{}, err
		}
	}
	return m, nil
}

// complete requests a file's size and checksum if the listing lacks them, as
// that of a mirror may.
func (c *Client) complete(ctx context.Context, m Model, f File) (File, error) {
	if f.Size >= 0 && f.Digest != "" {
		return f, nil
	}
	return c.head(ctx, m, f)
}

// head requests a file's size and checksum. For a file that the Hub redirects
// to its storage, they are in X-Linked-Size and X-Linked-Etag.
func (c *Client) head(ctx context.Context, m Model, f File) (File, error) {
	about := target{m.Repo, f.Name}
	err := c.retry(ctx, func() (bool, error) {
		a, err := c.do(ctx, http.MethodHead, c.fileAddress(m.Repo, m.Commit, f.Name), nil)
		if err != nil {
			return false, err
		}
		defer a.Close()
		redirect := a.StatusCode/100 == 3
		if a.StatusCode != http.StatusOK && !redirect {
			return false, c.statusError(a, about)
		}
		if commit := a.Header.Get("X-Repo-Commit"); commit != "" && commit != m.Commit {
			return false, fail(ErrBadAnswer, "%s: %s answered with another commit than requested: correct HF_ENDPOINT", about, a.url.Host)
		}
		etag, size := a.Header.Get("X-Linked-Etag"), a.Header.Get("X-Linked-Size")
		if etag == "" {
			etag = a.Header.Get("ETag")
		}
		if size == "" && !redirect {
			size = a.Header.Get("Content-Length")
		}
		f.Digest = strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
		f.Size, err = strconv.ParseInt(size, 10, 64)
		if err != nil || f.Size < 0 || f.Size > maxFileBytes || !digestPattern.MatchString(f.Digest) {
			return false, fail(ErrBadAnswer, "%s: %s did not give its size and checksum: correct HF_ENDPOINT", about, a.url.Host)
		}
		return true, nil
	})
	return f, err
}

// ReadFile reads a small file of a model, such as config.json, from the cache
// or else from the Hub. It writes nothing. It refuses files of more than limit
// bytes; if the model has no such file, the error is ErrNoFile.
func (c *Client) ReadFile(ctx context.Context, m Model, name string, limit int64) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(m.Files, func(f File) bool { return f.Name == name })
	if i < 0 {
		return nil, fail(ErrNoFile, "%s has no file %q", m.Repo, clip(name))
	}
	return c.content(ctx, m, m.Files[i], limit)
}

// content returns a small file. It checks the checksum of a file from the Hub.
func (c *Client) content(ctx context.Context, m Model, f File, limit int64) ([]byte, error) {
	about := target{m.Repo, f.Name}
	if f.Size > limit {
		return nil, fail(ErrBadAnswer, "%s has %d bytes, more than the limit of %d: choose another model", about, f.Size, limit)
	}
	if path, ok := c.cached(m, f); ok {
		return readWhole(path, f.Size)
	}
	if c.offline || m.Cached {
		return nil, c.notCached(m.Repo)
	}
	b, err := c.small(ctx, c.fileAddress(m.Repo, m.Commit, f.Name), f.Size, about)
	if err != nil {
		return nil, err
	}
	sum := newDigest(f)
	sum.Write(b)
	if int64(len(b)) != f.Size || !sum.matches() {
		return nil, fail(ErrBadAnswer, "%s differs from the size and checksum that the Hub gave: try again, or correct HF_ENDPOINT", about)
	}
	return b, nil
}
