package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	copyBytes = 1 << 20
	// worthRetrying is how many bytes an attempt must gain to reset the count of
	// attempts. Downloads from a server that sends one byte at a time fail.
	worthRetrying = 1 << 20
)

// blobDownload is the download of one blob.
type blobDownload struct {
	c        *Client
	m        Model
	file     File
	partial  *os.File
	sum      *digest
	at       int64 // bytes in partial and in sum
	reported int64 // bytes reported to progress
	progress func(int64)
	buffer   []byte
}

// fetch downloads one blob, of which the cache has the first begun bytes.
func (c *Client) fetch(ctx context.Context, m Model, f File, begun int64, progress func(int64)) error {
	d := &blobDownload{c: c, m: m, file: f, sum: newDigest(f), reported: begun, progress: progress}
	path := c.blob(m.Repo, f)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return writeError(err)
	}
	held, err := lock(ctx, c.lockPath(m.Repo, f))
	if err != nil {
		return err
	}
	defer held.Close()
	if complete(path, f) { // another process downloaded it meanwhile
		d.report(f.Size)
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
		if d.sum.matches() {
			break
		}
		if err := d.restart(); err != nil {
			return err
		}
		if !resumed {
			return fail(ErrBadAnswer, "%s: its content does not have the checksum %s that the Hub gave: try again later, or check proxies", target{m.Repo, f.Name}, f.Digest)
		}
		resumed = false // the beginning may have been wrong: try once more from zero
	}
	return d.finish(path)
}

// resume computes the checksum of what earlier attempts downloaded.
func (d *blobDownload) resume(ctx context.Context) error {
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
	d.report(d.at)
	return nil
}

// restart discards what has been downloaded.
func (d *blobDownload) restart() error {
	if err := d.partial.Truncate(0); err != nil {
		return writeError(err)
	}
	d.sum.reset()
	d.at = 0
	return nil
}

// report reports progress up to byte at. Bytes that are downloaded twice count
// once.
func (d *blobDownload) report(at int64) {
	if at > d.reported {
		d.progress(at - d.reported)
		d.reported = at
	}
}

// receive requests the rest, one segment per request, until the blob is complete
// or a request fails. The Hub's storage limits answers to 50 GB.
func (d *blobDownload) receive(ctx context.Context) (further bool, err error) {
	begun := d.reported
	for d.at < d.file.Size {
		if err := d.request(ctx); err != nil {
			return d.reported-begun >= worthRetrying, err
		}
	}
	return true, nil
}

// request sends one request and writes its answer. It needs no If-Range, since
// the address contains a commit, whose files do not change; and the Hub's ETag
// is not that of its storage.
func (d *blobDownload) request(ctx context.Context) error {
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
		if d.at > 0 { // the server does not support ranges
			if err := d.restart(); err != nil {
				return err
			}
		}
		end = d.file.Size
	case a.StatusCode == http.StatusPartialContent && ranged:
		want := fmt.Sprintf("bytes %d-%d/%d", d.at, end-1, d.file.Size)
		if got := a.Header.Get("Content-Range"); got != want {
			return d.malformed(a, fmt.Sprintf("sent the range %q instead of %q", clip(got), want))
		}
	case a.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return d.malformed(a, "has no such range")
	default:
		return d.c.statusError(a, about)
	}
	if err := checkEncoding(a); err != nil {
		return err
	}
	if a.ContentLength >= 0 && a.ContentLength != end-d.at {
		return d.malformed(a, fmt.Sprintf("sent %d bytes instead of %d", a.ContentLength, end-d.at))
	}
	return d.write(ctx, a, end)
}

// write writes the answer's body, which must end at byte end of the blob.
func (d *blobDownload) write(ctx context.Context, a *answer, end int64) error {
	for {
		n, err := a.Read(d.buffer)
		if int64(n) > end-d.at {
			return d.malformed(a, "sent more bytes than it announced")
		}
		if n > 0 {
			if _, err := d.partial.WriteAt(d.buffer[:n], d.at); err != nil {
				return writeError(err)
			}
			d.sum.Write(d.buffer[:n])
			d.at += int64(n)
			d.report(d.at)
		}
		switch {
		case err == io.EOF && d.at == end:
			return nil
		case err == io.EOF:
			return d.malformed(a, fmt.Sprintf("stopped after %d of %d bytes", d.at, end))
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return transportError(a.url, err)
		}
	}
}

// malformed is the error of an answer that does not match the request. The next
// attempt may succeed.
func (d *blobDownload) malformed(a *answer, fault string) error {
	return transient{error: fail(ErrUnreachable, "%s: %s %s: try again later", target{d.m.Repo, d.file.Name}, a.url.Host, fault)}
}

// finish syncs the blob and renames it to its path.
func (d *blobDownload) finish(path string) error {
	info, err := d.partial.Stat()
	if err != nil {
		return writeError(err)
	}
	if info.Size() != d.file.Size {
		return fmt.Errorf("the Hub's cache: another program changed %s: start again", d.partial.Name())
	}
	if err := errors.Join(d.partial.Sync(), d.partial.Close()); err != nil {
		return writeError(err)
	}
	return putInPlace(path+incomplete, path)
}
