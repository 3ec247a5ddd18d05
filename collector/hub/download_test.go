package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// download downloads the small model and compares every file with the original.
func download(t *testing.T, h *fakeHub, c *Client) (Snapshot, int64) {
	t.Helper()
	m := find(t, c)
	missing := c.MissingBytes(m)
	var reported atomic.Int64
	s, err := c.Download(t.Context(), m, func(n int64) { reported.Add(n) })
	if err != nil {
		t.Fatal(err)
	}
	if reported.Load() != missing {
		t.Errorf("progress reported %d bytes, want %d", reported.Load(), missing)
	}
	verify(t, h, c, s)
	return s, missing
}

func verify(t *testing.T, h *fakeHub, c *Client, s Snapshot) {
	t.Helper()
	for _, f := range s.Files {
		got, err := os.ReadFile(filepath.Join(s.Dir, f.Name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, h.files[f.Name].content) {
			t.Errorf("%s differs from the Hub's", f.Name)
		}
	}
	left, err := filepath.Glob(filepath.Join(c.cacheDir, "models--*", "*", "*"+incomplete))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	left, err = filepath.Glob(filepath.Join(c.cacheDir, "models--*", ".tmp*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestDownload(t *testing.T) {
	h := newFakeHub(t, smallModel())
	h.token = testSecret // the storage fails the test if it receives it
	dir := filepath.Join(t.TempDir(), "cache", "hub")
	c := h.client(dir)

	m := find(t, c)
	if got := names(m.Files); !slices.Equal(got, chosen) {
		t.Errorf("chose %v, want %v", got, chosen)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("Find wrote to the cache")
	}
	var want int64
	for _, name := range chosen {
		want += int64(len(h.files[name].content))
	}
	if m.Bytes() != want || c.MissingBytes(m) != want || m.Weights != SafeTensors || m.Commit != testCommit || m.Cached {
		t.Errorf("found %+v of %d bytes, want %d", m, m.Bytes(), want)
	}
	b, err := c.ReadFile(t.Context(), m, "config.json", 1000)
	if err != nil || !bytes.Equal(b, h.files["config.json"].content) {
		t.Errorf("config.json: %q, %v", b, err)
	}
	if _, err := c.ReadFile(t.Context(), m, "config.json", 5); err == nil {
		t.Error("ReadFile exceeded its limit")
	}
	if _, err := c.ReadFile(t.Context(), m, "generation_config.json", 5); !errors.Is(err, ErrNoFile) {
		t.Errorf("missing file: %v", err)
	}

	s, _ := download(t, h, c)
	root := filepath.Join(dir, "models--someone--small-model")
	if s.Dir != filepath.Join(root, "snapshots", testCommit) || s.Commit != testCommit {
		t.Errorf("the snapshot is %+v", s)
	}
	for _, f := range s.Files {
		to, err := os.Readlink(filepath.Join(s.Dir, f.Name))
		if err != nil || to != "../../blobs/"+h.files[f.Name].digest() {
			t.Errorf("%s links to %q, %v", f.Name, to, err)
		}
	}
	if ref, err := os.ReadFile(filepath.Join(root, "refs", "main")); err != nil || string(ref) != testCommit {
		t.Errorf("refs/main is %q, %v", ref, err)
	}
	for _, f := range m.Files {
		if _, err := os.Stat(filepath.Join(dir, ".locks", "models--someone--small-model", f.Digest+".lock")); err != nil {
			t.Error(err)
		}
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil || len(entries) != len(chosen) {
		t.Errorf("%d files for %d, %v", len(entries), len(chosen), err)
	}

	// A second download transfers nothing, and offline sends no requests.
	resolved := h.resolved.Load()
	if _, missing := download(t, h, h.client(dir)); missing != 0 || h.resolved.Load() != resolved {
		t.Errorf("%d bytes downloaded again in %d requests", missing, h.resolved.Load()-resolved)
	}
	h.hub.Close()
	h.cdn.Close()
	away := h.client(dir, offline)
	again, _ := download(t, h, away)
	if again.Dir != s.Dir {
		t.Errorf("offline snapshot in %s", again.Dir)
	}
	if m := find(t, h.client(dir)); !m.Cached {
		t.Error("Cached is false although the Hub is unreachable")
	}
	if _, err := away.Find(t.Context(), parse(t, testID+"@"+testCommit)); err != nil {
		t.Errorf("offline by commit: %v", err)
	}
}

// TestRevisions downloads a revision whose name has slashes.
func TestRevisions(t *testing.T) {
	h := newFakeHub(t, smallModel())
	c := h.client(t.TempDir())
	for _, revision := range []string{"refs/pr/1", testCommit} {
		m, err := c.Find(t.Context(), parse(t, testID+"@"+revision))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Download(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
	}
	refs := filepath.Join(c.cacheDir, "models--someone--small-model", "refs")
	if ref, err := os.ReadFile(filepath.Join(refs, "refs", "pr", "1")); err != nil || string(ref) != testCommit {
		t.Errorf("the ref is %q, %v", ref, err)
	}
	if entries, err := os.ReadDir(refs); err != nil || len(entries) != 1 {
		t.Errorf("refs: %v, %v", entries, err)
	}
}

// TestBareListing requests each file's size if the API lists names alone.
func TestBareListing(t *testing.T) {
	h := newFakeHub(t, smallModel())
	h.bare = true
	c := h.client(t.TempDir())
	s, _ := download(t, h, c)
	if got := names(s.Files); !slices.Equal(got, chosen) {
		t.Errorf("chose %v", got)
	}
	if n := h.requested("HEAD /" + testID); n != len(chosen) {
		t.Errorf("%d HEAD requests", n)
	}
}

// TestBrokenBodies interrupts the first answers for each file, which must be
// continued.
func TestBrokenBodies(t *testing.T) {
	h := newFakeHub(t, smallModel())
	var total int64
	for _, name := range chosen {
		total += int64(len(h.files[name].content))
	}
	var mu sync.Mutex
	cut := map[string]int{}
	h.onCDN = func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		cut[r.URL.Path]++
		n := cut[r.URL.Path]
		mu.Unlock()
		if n > 3 {
			return false
		}
		h.cutOff(w, r, 100_000)
		return true
	}
	download(t, h, h.client(t.TempDir()))
	if h.served.Load() > total+1000 {
		t.Errorf("%d bytes were sent for %d", h.served.Load(), total)
	}
	if h.requested("GET /blob/model-00001-of-00002.safetensors bytes=300000-") != 1 {
		t.Errorf("download did not continue: %q", h.requests)
	}
}

// cutOff sends n bytes of the answer and then breaks the connection.
func (h *fakeHub) cutOff(w http.ResponseWriter, r *http.Request, n int64) {
	h.content(&cutWriter{ResponseWriter: w, left: n}, r, h.files[strings.TrimPrefix(r.URL.Path, "/blob/")])
	panic(http.ErrAbortHandler)
}

type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (c *cutWriter) Write(b []byte) (int, error) {
	if int64(len(b)) > c.left {
		b = b[:c.left]
	}
	n, err := c.ResponseWriter.Write(b)
	c.left -= int64(n)
	if c.left <= 0 {
		c.ResponseWriter.(http.Flusher).Flush()
		return n, io.ErrShortWrite
	}
	return n, err
}

// TestSegments downloads a file in several requests.
func TestSegments(t *testing.T) {
	h := newFakeHub(t, smallModel())
	c := h.client(t.TempDir())
	c.segment = 1 << 20
	download(t, h, c)
	if n := h.requested("GET /blob/model-00001-of-00002.safetensors bytes="); n != 4 {
		t.Errorf("%d requests", n)
	}
}

// TestNoRanges downloads from a storage that always sends whole files.
func TestNoRanges(t *testing.T) {
	h := newFakeHub(t, smallModel())
	var cut atomic.Bool
	h.onCDN = func(w http.ResponseWriter, r *http.Request) bool {
		r.Header.Del("Range")
		if cut.CompareAndSwap(false, true) {
			h.cutOff(w, r, 100_000)
		}
		return false
	}
	c := h.client(t.TempDir(), func(o *Options) { o.Parallel = 1 })
	download(t, h, c)
}

// TestBusy checks that a client waits as long as the Hub requests, within
// limits.
func TestBusy(t *testing.T) {
	for _, test := range []struct {
		name, value string
		least, most time.Duration
	}{
		{"Retry-After", "7", 7 * time.Second, 8 * time.Second},
		{"Retry-After", "99999999999", maxRetryAfter, maxRetryAfter + time.Second},
		{"Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), 50 * time.Second, 61 * time.Second},
		{"RateLimit", `"api";r=0;t=12`, 12 * time.Second, 13 * time.Second},
		{"Retry-After", "soon", firstWait / 2, firstWait},
		{"Retry-After", "-5", firstWait / 2, firstWait},
	} {
		h := newFakeHub(t, smallModel())
		var refused atomic.Bool
		h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
			if refused.Swap(true) {
				return false
			}
			w.Header().Set(test.name, test.value)
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		c := h.client(t.TempDir())
		var waited []time.Duration
		c.sleep = func(_ context.Context, d time.Duration) error { waited = append(waited, d); return nil }
		find(t, c)
		if len(waited) != 1 || waited[0] < test.least || waited[0] > test.most {
			t.Errorf("%s: %s: waited %v", test.name, test.value, waited)
		}
	}
}

// TestGivesUp checks the waits between attempts and their number.
func TestGivesUp(t *testing.T) {
	h := newFakeHub(t, smallModel())
	h.onHub = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true }
	c := h.client(t.TempDir())
	var waited []time.Duration
	c.sleep = func(_ context.Context, d time.Duration) error { waited = append(waited, d); return nil }
	_, err := c.Find(t.Context(), parse(t, testID))
	if !errors.Is(err, ErrUnreachable) || len(waited) != maxTries-1 {
		t.Errorf("%v after %v", err, waited)
	}
	for i, d := range waited {
		if full := firstWait << i; d < full/2 || d > full {
			t.Errorf("wait %d is %v", i, d)
		}
	}
	oneLine(t, err)
}

// TestByteByByte gives up on a storage that sends one byte per attempt.
func TestByteByByte(t *testing.T) {
	h := newFakeHub(t, smallModel())
	h.onCDN = func(w http.ResponseWriter, r *http.Request) bool { h.cutOff(w, r, 1); return true }
	c := h.client(t.TempDir())
	_, err := c.Download(t.Context(), find(t, c), nil)
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	oneLine(t, err)
}

// TestSilence retries when a server stops sending.
func TestSilence(t *testing.T) {
	for _, at := range []int64{0, 1000} {
		h := newFakeHub(t, smallModel())
		var silent atomic.Bool
		h.onCDN = func(w http.ResponseWriter, r *http.Request) bool {
			if silent.Swap(true) {
				return false
			}
			if at > 0 {
				w.Header().Set("Content-Length", fmt.Sprint(len(h.files[strings.TrimPrefix(r.URL.Path, "/blob/")].content)))
				_, _ = w.Write(h.files[strings.TrimPrefix(r.URL.Path, "/blob/")].content[:at])
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
			return true
		}
		c := h.client(t.TempDir(), func(o *Options) { o.Parallel = 1 })
		c.stall = 500 * time.Millisecond
		download(t, h, c)
	}
}

// TestWrongBytes checks that content with another checksum or size is refused
// and not kept.
func TestWrongBytes(t *testing.T) {
	for name, change := range map[string]func(b []byte) []byte{
		"changed": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"longer":  func(b []byte) []byte { return append(b, 'x') },
		"shorter": func(b []byte) []byte { return b[:len(b)-1] },
		"empty":   func(b []byte) []byte { return nil },
	} {
		for _, chunked := range []bool{false, true} {
			h := newFakeHub(t, smallModel())
			h.onCDN = func(w http.ResponseWriter, r *http.Request) bool {
				b := change(bytes.Clone(h.files[strings.TrimPrefix(r.URL.Path, "/blob/")].content))
				if chunked {
					w.(http.Flusher).Flush()
				}
				_, _ = w.Write(b)
				return true
			}
			c := h.client(t.TempDir())
			m := find(t, c)
			_, err := c.Download(t.Context(), m, nil)
			if err == nil || !errors.Is(err, ErrBadAnswer) && !errors.Is(err, ErrUnreachable) {
				t.Errorf("%s, chunked %v: %v", name, chunked, err)
				continue
			}
			oneLine(t, err)
			for _, f := range m.Files {
				path := c.blob(m.Repo, f)
				if info, err := os.Stat(path); err == nil && info.Size() != f.Size {
					t.Errorf("%s: %s has %d bytes", name, f.Name, info.Size())
				}
				if info, err := os.Stat(path + incomplete); err == nil && info.Size() > f.Size {
					t.Errorf("%s: %s is larger than its size", name, f.Name)
				}
			}
			if _, err := h.client(c.cacheDir, offline).Find(t.Context(), m.Repo); !errors.Is(err, ErrNotCached) {
				t.Errorf("%s: found offline: %v", name, err)
			}
			h.setHook(&h.onCDN, nil)
			download(t, h, c) // leftovers must not prevent this
		}
	}
}

// TestWrongBeginning restarts if an earlier attempt left wrong bytes.
func TestWrongBeginning(t *testing.T) {
	h := newFakeHub(t, smallModel())
	c := h.client(t.TempDir())
	m := find(t, c)
	for i, content := range [][]byte{bytes.Repeat([]byte{7}, 1000), make([]byte, 8<<20)} {
		path := c.blob(m.Repo, m.Files[len(m.Files)-1-i]) + incomplete
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	download(t, h, c)
}

// TestFullDisk fails before the first byte.
func TestFullDisk(t *testing.T) {
	h := newFakeHub(t, smallModel())
	c := h.client(t.TempDir())
	m := find(t, c)
	c.available = func(string) (int64, error) { return c.MissingBytes(m) - 1, nil }
	_, err := c.Download(t.Context(), m, nil)
	if !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "free 1 B,") {
		t.Errorf("got %v", err)
	}
	oneLine(t, err)
	if h.requested("GET /blob/") != 0 {
		t.Error("the download began")
	}
	err = writeError(&os.PathError{Op: "write", Path: "x", Err: unix.ENOSPC})
	if !errors.Is(err, ErrDiskFull) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("disk full while writing: %v", err)
	}
	oneLine(t, err)
	free, err := h.client(t.TempDir()).available(filepath.Join(t.TempDir(), "not", "there"))
	if err != nil || free <= 0 {
		t.Errorf("free: %d, %v", free, err)
	}
}

// TestTwoClients downloads a model with two clients at once, each file once.
func TestTwoClients(t *testing.T) {
	h := newFakeHub(t, smallModel())
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 2 {
		c := h.client(dir)
		m := find(t, c)
		group.Go(func() {
			if _, err := c.Download(t.Context(), m, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	download(t, h, h.client(dir, offline))
	for _, name := range chosen {
		if f := h.files[name]; f.large && h.requested("GET /blob/"+name) != 1 {
			t.Errorf("%s was requested %d times", name, h.requested("GET /blob/"+name))
		}
	}
}

// TestCancel checks that a cancelled download stops and keeps its bytes.
func TestCancel(t *testing.T) {
	h := newFakeHub(t, smallModel())
	c := h.client(t.TempDir())
	m := find(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	h.setHook(&h.onCDN, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "00002.safetensors") {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(h.files[strings.TrimPrefix(r.URL.Path, "/blob/")].content)))
		_, _ = w.Write(h.files[strings.TrimPrefix(r.URL.Path, "/blob/")].content[:2<<20])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	var reported atomic.Int64
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.Find(stopped, m.Repo); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	} else {
		oneLine(t, err)
	}
	_, err := c.Download(ctx, m, func(n int64) {
		if reported.Add(n) > 1<<20 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if c.MissingBytes(m) >= m.Bytes() {
		t.Error("nothing was kept")
	}
	h.setHook(&h.onCDN, nil)
	download(t, h, c)
}

// TestReadOnlyCache uses a complete cache that is not writable.
func TestReadOnlyCache(t *testing.T) {
	h := newFakeHub(t, smallModel())
	dir := t.TempDir()
	download(t, h, h.client(dir))
	root := filepath.Join(dir, "models--someone--small-model")
	if err := os.RemoveAll(filepath.Join(root, "refs")); err != nil {
		t.Fatal(err)
	}
	// A file in place of the folder, because root may write anywhere else.
	if err := os.WriteFile(filepath.Join(root, "refs"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	download(t, h, h.client(dir))
}

func oneLine(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	s := err.Error()
	if strings.Contains(s, "\n") || strings.Contains(s, testSecret) || strings.Contains(s, "secret-signature") || len(s) > 500 || !strings.Contains(s, ": ") {
		t.Errorf("bad error: %q", s)
	}
}
