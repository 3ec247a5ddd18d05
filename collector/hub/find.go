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

// Find resolves a revision to a commit and says which files a checkpoint of
// it needs, and how large they are. It writes nothing, and fails where a
// download would for want of access. Offline, or when the Hub does not answer,
// it finds what the cache holds, if that is a whole checkpoint.
func (c *Client) Find(ctx context.Context, r Repo) (Model, error) {
	if err := r.check(); err != nil {
		return Model{}, err
	}
	if c.offline {
		return c.findCached(r)
	}
	m, err := c.ask(ctx, r)
	if err != nil && ctx.Err() != nil {
		return Model{}, fmt.Errorf("ask %s about %s: %w", c.endpoint.Host, r, context.Cause(ctx))
	}
	if errors.Is(err, ErrUnreachable) {
		if cached, notCached := c.findCached(r); notCached == nil {
			return cached, nil
		}
	}
	return m, err
}

// ask finds a model by asking the Hub.
func (c *Client) ask(ctx context.Context, r Repo) (Model, error) {
	about := target{repo: r}
	b, err := c.small(ctx, c.modelAddress(r), maxListingBytes, about)
	if err != nil {
		return Model{}, err
	}
	l, err := parseListing(b)
	if err != nil {
		return Model{}, fail(ErrBadAnswer, "%s: the answer of %s is not valid: %v: correct HF_ENDPOINT, or name another model", r, c.endpoint.Host, err)
	}
	if commitPattern.MatchString(r.Revision) && r.Revision != l.commit {
		return Model{}, fail(ErrBadAnswer, "%s: %s answers with the commit %s: correct HF_ENDPOINT", r, c.endpoint.Host, l.commit)
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
		if _, told := errors.AsType[*kindError](err); told {
			return Model{}, err
		}
		return Model{}, fmt.Errorf("%s holds no checkpoint: %w: name another model or revision", r, err)
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
		// A gated model's list is for everyone, its files are not.
		if _, err := c.head(ctx, m, m.Files[len(m.Files)-1]); err != nil {
			return Model{}, err
		}
	}
	return m, nil
}

// complete asks for a file's size and checksum where the listing, a mirror's
// perhaps, did not tell them.
func (c *Client) complete(ctx context.Context, m Model, f File) (File, error) {
	if f.Size >= 0 && f.Digest != "" {
		return f, nil
	}
	return c.head(ctx, m, f)
}

// head asks for one file's size and checksum. The Hub tells those of what it
// redirects to in X-Linked-Size and X-Linked-Etag.
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
			return false, fail(ErrBadAnswer, "%s: %s answers with another commit than asked for: correct HF_ENDPOINT", about, a.url.Host)
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
			return false, fail(ErrBadAnswer, "%s: %s does not tell its size and checksum: correct HF_ENDPOINT", about, a.url.Host)
		}
		return true, nil
	})
	return f, err
}

// ReadFile reads one small file of a model, config.json say, from the cache
// if it is there and else from the Hub, and writes nothing. A file of more
// than limit bytes is refused, and one that the model has not is ErrNoFile.
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

// content is a small file's bytes, their checksum checked if they come from
// the Hub.
func (c *Client) content(ctx context.Context, m Model, f File, limit int64) ([]byte, error) {
	about := target{m.Repo, f.Name}
	if f.Size > limit {
		return nil, fail(ErrBadAnswer, "%s has %d bytes, more than the %d that it may have: name another model", about, f.Size, limit)
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
	if sum := newDigest(f); int64(len(b)) != f.Size || !sum.fits(b) {
		return nil, fail(ErrBadAnswer, "%s does not have the size and checksum that the Hub told: try again, or correct HF_ENDPOINT", about)
	}
	return b, nil
}
