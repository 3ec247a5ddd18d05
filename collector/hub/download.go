package hub

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's names for blobs
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Cached finds a model in the cache, asking nobody.
func Cached(o Options, repo Repo) (Snapshot, bool) { return newClient(o).cached(repo) }

// Download fetches what a checkpoint needs of a model, as far as it is not in
// the cache. progress is told how many bytes more are there, from several
// goroutines. Whenever it ends, what was fetched is used by the next one.
func Download(ctx context.Context, o Options, repo Repo, progress func(bytes int64)) (Snapshot, error) {
	c := newClient(o)
	if progress == nil {
		progress = func(int64) {}
	}
	l, err := c.list(ctx, repo)
	if err != nil {
		s, there := c.cached(repo)
		switch {
		case there && c.o.Offline:
			return s, nil
		case there && errors.Is(err, errUnreachable):
			c.o.Note(fmt.Sprintf("the Hub cannot be reached; %s is taken from the cache as it was at commit %.12s", repo, s.Commit))
			return s, nil
		}
		return Snapshot{}, err
	}
	if err := c.checkRoom(l); err != nil {
		return Snapshot{}, err
	}
	if err := os.MkdirAll(c.blobs(repo), 0o777); err != nil {
		return Snapshot{}, fmt.Errorf("fetch %s: %w", repo, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.o.Parallel)
	for _, f := range l.Files {
		g.Go(func() error { return c.fetch(ctx, l, f, progress) })
	}
	if err := g.Wait(); err != nil {
		return Snapshot{}, err
	}
	return c.point(l)
}

func (c *client) blobs(repo Repo) string { return filepath.Join(c.folder(repo), "blobs") }

// Missing is how many bytes of a listing are not in the cache.
func Missing(o Options, l Listing) int64 { return newClient(o).missing(l) }

func (c *client) missing(l Listing) int64 {
	var missing int64
	for _, f := range l.Files {
		blob := filepath.Join(c.blobs(l.Repo), f.Blob)
		if info, err := os.Stat(blob); err == nil && info.Size() == f.Size {
			continue
		}
		missing += f.Size
		if info, err := os.Stat(blob + incomplete); err == nil && info.Size() <= f.Size {
			missing -= info.Size()
		}
	}
	return missing
}

func (c *client) checkRoom(l Listing) error {
	missing := c.missing(l)
	if missing == 0 {
		return nil
	}
	free, err := c.o.Free(c.o.CacheDir)
	if err != nil {
		return err
	}
	if missing > free {
		return fmt.Errorf("%w for %s: %d MiB are to be fetched and %s has %d MiB: set HF_HOME to a larger disk", ErrNoRoom, l.Repo, missing>>20, c.o.CacheDir, free>>20)
	}
	return nil
}

// incomplete ends the name of a blob that is being fetched.
const incomplete = ".incomplete"

// fetch brings one file into the cache.
func (c *client) fetch(ctx context.Context, l Listing, f File, progress func(int64)) error {
	blob := filepath.Join(c.blobs(l.Repo), f.Blob)
	if info, err := os.Stat(blob); err == nil && info.Size() == f.Size {
		return nil
	}
	lock, err := c.lock(ctx, l.Repo, f.Blob)
	if err != nil {
		return err
	}
	defer lock.Close()
	if info, err := os.Stat(blob); err == nil && info.Size() == f.Size {
		return nil // another process fetched it meanwhile
	}
	out, err := os.OpenFile(blob+incomplete, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("fetch %s of %s: %w", f.Name, l.Repo, err)
	}
	p := &part{file: f, out: out, name: fmt.Sprintf("%s of %s", f.Name, l.Repo)}
	if err = p.resume(); err == nil {
		err = c.again(ctx, func() (bool, error) { return c.fill(ctx, l, p, progress) })
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return p.explain(err)
	}
	if err := os.Rename(blob+incomplete, blob); err != nil {
		return fmt.Errorf("keep %s: %w", p.name, err)
	}
	return nil
}

// part is a file on its way.
type part struct {
	file File
	name string
	out  *os.File
	have int64 // bytes that are there and in sum
	sum  hash.Hash
}

// resume takes up what an earlier fetch left.
func (p *part) resume() error {
	info, err := p.out.Stat()
	if err != nil {
		return err
	}
	if info.Size() > p.file.Size {
		return p.restart()
	}
	p.begin()
	p.have, err = io.Copy(p.sum, p.out)
	return err
}

// restart begins from nothing.
func (p *part) restart() error {
	p.begin()
	p.have = 0
	if err := p.out.Truncate(0); err != nil {
		return err
	}
	_, err := p.out.Seek(0, io.SeekStart)
	return err
}

func (p *part) begin() {
	if p.file.SHA256 {
		p.sum = sha256.New()
		return
	}
	p.sum = sha1.New()                                    //nolint:gosec // git's names for blobs
	_, _ = fmt.Fprintf(p.sum, "blob %d\x00", p.file.Size) // a hash takes everything
}

// fill asks for the bytes that are missing, and checks all once they are
// there.
func (c *client) fill(ctx context.Context, l Listing, p *part, progress func(int64)) (progressed bool, err error) {
	if p.have < p.file.Size {
		n, err := c.receive(ctx, l, p, progress)
		if err != nil {
			return n > 0, err
		}
	}
	if got := hex.EncodeToString(p.sum.Sum(nil)); got != p.file.Blob {
		progress(-p.have)
		if err := p.restart(); err != nil {
			return false, err
		}
		return false, &transient{err: fmt.Errorf("fetch %s: %w: its checksum is %.12s… and not %.12s…", p.name, ErrWrongBytes, got, p.file.Blob)}
	}
	return true, nil
}

func (c *client) receive(ctx context.Context, l Listing, p *part, progress func(int64)) (n int64, err error) {
	stalled := errors.New("nothing came for a minute")
	live, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	idle := time.AfterFunc(answerTimeout, func() { stop(stalled) })
	defer idle.Stop()
	r, err := c.get(live, l.Repo, "/"+l.Repo.ID+"/resolve/"+l.Commit+"/"+escape(p.file.Name), p.file.Name, p.have)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	want := fmt.Sprintf("bytes %d-%d/%d", p.have, p.file.Size-1, p.file.Size)
	if p.have > 0 && (r.StatusCode != http.StatusPartialContent || strings.TrimSpace(r.Header.Get("Content-Range")) != want) {
		// The progress so far was of bytes that are thrown away now.
		progress(-p.have)
		if err := p.restart(); err != nil {
			return 0, err
		}
		if r.StatusCode != http.StatusOK {
			return 0, &transient{err: fmt.Errorf("fetch %s: the server sends other bytes than it was asked for", p.name)}
		}
	}
	body := io.LimitReader(r.Body, p.file.Size-p.have+1)
	buffer := make([]byte, 1<<20)
	for {
		got, readErr := body.Read(buffer)
		idle.Reset(answerTimeout)
		if errors.Is(context.Cause(live), stalled) {
			readErr = stalled
		}
		if p.have+int64(got) > p.file.Size {
			return n, errors.Join(&transient{err: fmt.Errorf("fetch %s: %w: there are more than %d", p.name, ErrWrongBytes, p.file.Size)}, p.restart())
		}
		if _, err := p.out.Write(buffer[:got]); err != nil {
			return n, err
		}
		_, _ = p.sum.Write(buffer[:got])
		p.have += int64(got)
		n += int64(got)
		progress(int64(got))
		switch {
		case readErr == io.EOF && p.have == p.file.Size:
			return n, nil
		case ctx.Err() != nil:
			return n, ctx.Err()
		case readErr == io.EOF:
			return n, &transient{err: fmt.Errorf("fetch %s: %w: the connection ended after %d of %d bytes", p.name, errUnreachable, p.have, p.file.Size)}
		case readErr != nil:
			return n, &transient{err: fmt.Errorf("fetch %s: %w: %w", p.name, errUnreachable, withoutURL(readErr))}
		}
	}
}

// explain says what to do about a full disk.
func (p *part) explain(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("fetch %s: %w: the disk is full: set HF_HOME to a larger one; what is there is used again", p.name, ErrNoRoom)
	}
	return err
}
