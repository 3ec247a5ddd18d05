package hub

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	copyBytes = 1 << 20
	// worthRetrying is how much a try must gain for the count of tries to begin
	// anew, so that a server that gives a byte a time is given up.
	worthRetrying = 1 << 20
)

// fetching is one blob on its way.
type fetching struct {
	c        *Client
	m        Model
	file     File
	partial  *os.File
	sum      *digest
	at       int64 // bytes in partial and in sum
	told     int64 // bytes that progress knows of
	progress func(int64)
	buffer   []byte
}

// fetch brings one blob into place, of which so much had begun.
func (c *Client) fetch(ctx context.Context, m Model, f File, begun int64, progress func(int64)) error {
	d := &fetching{c: c, m: m, file: f, sum: newDigest(f), told: begun, progress: progress}
	path := c.blob(m.Repo, f)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return writeError(err)
	}
	held, err := lock(ctx, c.lockPath(m.Repo, f))
	if err != nil {
		return err
	}
	defer held.Close()
	if whole(path, f) { // someone else was faster
		d.tell(f.Size)
		return nil
	}
	d.partial, err = os.OpenFile(path+incomplete, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o666)
	if err != nil {
		return writeError(err)
	}
	defer d.partial.Close()
	d.buffer = make([]byte, copyBytes)
	if err := d.resume(ctx); err != nil {
		return err
	}
	resumed := d.at > 0
	for {
		if err := c.retry(ctx, func() (bool, error) { return d.receive(ctx) }); err != nil {
			return err
		}
		if d.sum.right() {
			break
		}
		if err := d.restart(); err != nil {
			return err
		}
		if !resumed {
			return fail(ErrBadAnswer, "%s: its bytes do not have the checksum %s that the Hub told: try again later, or look at proxies between", target{m.Repo, f.Name}, f.Digest)
		}
		resumed = false // what was there before may have been wrong: once more, from nothing
	}
	return d.finish(path)
}

// resume adds up what an earlier try left.
func (d *fetching) resume(ctx context.Context) error {
	info, err := d.partial.Stat()
	if err != nil {
		return writeError(err)
	}
	if info.Size() > d.file.Size {
		return d.restart()
	}
	for d.at < info.Size() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := d.partial.ReadAt(d.buffer[:min(int64(len(d.buffer)), info.Size()-d.at)], d.at)
		if err != nil {
			return fmt.Errorf("the Hub's cache: %w", err)
		}
		d.sum.Write(d.buffer[:n])
		d.at += int64(n)
	}
	d.tell(d.at)
	return nil
}

// restart forgets what is there of the blob.
func (d *fetching) restart() error {
	if err := d.partial.Truncate(0); err != nil {
		return writeError(err)
	}
	d.sum.reset()
	d.at = 0
	return nil
}

// tell reports bytes that were not reported yet. Those that had to be fetched
// twice count once.
func (d *fetching) tell(at int64) {
	if at > d.told {
		d.progress(at - d.told)
		d.told = at
	}
}

// receive asks for the rest, a segment a request, until all is there or a try
// fails. The Hub's storage gives no answer of more than 50 GB.
func (d *fetching) receive(ctx context.Context) (further bool, err error) {
	begun := d.told
	for d.at < d.file.Size {
		if err := d.request(ctx); err != nil {
			return d.told-begun >= worthRetrying, err
		}
	}
	return true, nil
}

// request does one request and writes what comes of it. There is no If-Range:
// the Hub's etag is not that of the storage it redirects to, and the address
// names a commit, whose files do not change.
func (d *fetching) request(ctx context.Context) error {
	about := target{d.m.Repo, d.file.Name}
	end := min(d.file.Size, d.at+d.c.segment)
	header := http.Header{}
	ranged := d.at > 0 || end < d.file.Size
	if ranged {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", d.at, end-1))
	}
	a, err := d.c.do(ctx, http.MethodGet, d.c.fileAddress(d.m.Repo, d.m.Commit, d.file.Name), header)
	if err != nil {
		return err
	}
	defer a.Close()
	switch {
	case a.StatusCode == http.StatusOK:
		if d.at > 0 { // it knows no ranges
			if err := d.restart(); err != nil {
				return err
			}
		}
		end = d.file.Size
	case a.StatusCode == http.StatusPartialContent && ranged:
		want := fmt.Sprintf("bytes %d-%d/%d", d.at, end-1, d.file.Size)
		if got := a.Header.Get("Content-Range"); got != want {
			return d.broken(a, fmt.Sprintf("sends the range %q for %q", clip(got), want))
		}
	case a.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return d.broken(a, "has no such range")
	default:
		return d.c.statusError(a, about)
	}
	if err := plain(a); err != nil {
		return err
	}
	if a.ContentLength >= 0 && a.ContentLength != end-d.at {
		return d.broken(a, fmt.Sprintf("sends %d bytes for %d", a.ContentLength, end-d.at))
	}
	return d.write(ctx, a, end)
}

// write takes the body up to end and no further.
func (d *fetching) write(ctx context.Context, a *answer, end int64) error {
	for {
		n, err := a.Read(d.buffer)
		if int64(n) > end-d.at {
			return d.broken(a, "sends more bytes than it said")
		}
		if n > 0 {
			if _, err := d.partial.WriteAt(d.buffer[:n], d.at); err != nil {
				return writeError(err)
			}
			d.sum.Write(d.buffer[:n])
			d.at += int64(n)
			d.tell(d.at)
		}
		switch {
		case err == io.EOF && d.at == end:
			return nil
		case err == io.EOF:
			return d.broken(a, fmt.Sprintf("ends after %d of %d bytes", d.at, end))
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return transportError(a.url, err)
		}
	}
}

// broken is an answer that does not fit what was asked. It may be an accident,
// so it is tried again.
func (d *fetching) broken(a *answer, what string) error {
	return transient{error: fail(ErrUnreachable, "%s: %s %s: try again later", target{d.m.Repo, d.file.Name}, a.url.Host, what)}
}

// finish brings the blob to the disk and into place.
func (d *fetching) finish(path string) error {
	info, err := d.partial.Stat()
	if err != nil {
		return writeError(err)
	}
	if info.Size() != d.file.Size {
		return fmt.Errorf("the Hub's cache: %s was changed by another program: start again", d.partial.Name())
	}
	if err := d.partial.Sync(); err != nil {
		return writeError(err)
	}
	if err := d.partial.Close(); err != nil {
		return writeError(err)
	}
	if err := os.Rename(path+incomplete, path); err != nil {
		return writeError(err)
	}
	return syncFolder(filepath.Dir(path))
}
