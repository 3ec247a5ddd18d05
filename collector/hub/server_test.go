package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	testID     = "someone/small-model"
	testCommit = "0123456789abcdef0123456789abcdef01234567"
	testSecret = "hf_VerySecretIndeed"
)

// storedFile is a file of the fake Hub.
type storedFile struct {
	content []byte
	large   bool // in LFS, so the Hub redirects to its storage
}

func (f storedFile) digest() string {
	if f.large {
		sum := sha256.Sum256(f.content)
		return hex.EncodeToString(sum[:])
	}
	return f.git()
}

func (f storedFile) git() string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(f.content), f.content))
	return hex.EncodeToString(sum[:])
}

// fakeHub answers like the Hub: an API, addresses of files, and a storage at
// another port, to which it redirects for large files.
type fakeHub struct {
	t        *testing.T
	hub, cdn *httptest.Server
	files    map[string]storedFile
	commit   string
	gated    bool
	token    string // the valid token, or ""
	bare     bool   // the API lists names alone

	// Hooks are called first.
	onHub, onCDN hook

	api, resolved, served atomic.Int64 // requests and bodies' bytes
	mu                    sync.Mutex
	requests              []string // method, path and range
}

func newFakeHub(t *testing.T, files map[string]storedFile) *fakeHub {
	h := &fakeHub{t: t, files: files, commit: testCommit}
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serveCDN)) // first, because the Hub refers to it
	h.hub = httptest.NewServer(http.HandlerFunc(h.serveHub))
	t.Cleanup(h.hub.Close)
	t.Cleanup(h.cdn.Close)
	return h
}

// smallModel returns a repository with two shards, their sidecars, and files
// that do not belong to the checkpoint.
func smallModel() map[string]storedFile {
	files := map[string]storedFile{
		"config.json":                          {content: []byte(`{"model_type": "opt"}`)},
		"tokenizer.json":                       {content: bytes.Repeat([]byte("tokens "), 999), large: true},
		"tokenizer_config.json":                {content: []byte("{}")},
		"merges.txt":                           {content: nil},
		"README.md":                            {content: []byte("# read me")},
		"run_me.py":                            {content: []byte("print()")},
		"pytorch_model.bin":                    {content: []byte("pickled"), large: true},
		"original/consolidated.00.safetensors": {content: []byte("the same once more"), large: true},
	}
	index := map[string]any{"weight_map": map[string]string{
		"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors", "c": "model-00002-of-00002.safetensors",
	}}
	b, err := json.Marshal(index)
	if err != nil {
		panic(err)
	}
	files["model.safetensors.index.json"] = storedFile{content: b}
	for i := 1; i <= 2; i++ {
		files[fmt.Sprintf("model-%05d-of-00002.safetensors", i)] = storedFile{content: noise(3<<20+i, uint64(i)), large: true}
	}
	return files
}

// chosen are the files of smallModel's checkpoint.
var chosen = []string{
	"config.json", "tokenizer.json", "tokenizer_config.json", "merges.txt",
	"model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
}

func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

// hook may answer a request in place of the fake Hub; it reports whether it did.
type hook func(w http.ResponseWriter, r *http.Request) bool

func (h *fakeHub) hook(at *hook) hook {
	h.mu.Lock()
	defer h.mu.Unlock()
	return *at
}

// setHook changes a hook while requests may run.
func (h *fakeHub) setHook(at *hook, to hook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*at = to
}

func (h *fakeHub) note(r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Range")))
}

func (h *fakeHub) refuse(w http.ResponseWriter, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", message)
	w.WriteHeader(status)
}

func (h *fakeHub) serveHub(w http.ResponseWriter, r *http.Request) {
	h.note(r)
	if hook := h.hook(&h.onHub); hook != nil && hook(w, r) {
		return
	}
	auth := r.Header.Get("Authorization")
	if auth != "" && auth != "Bearer "+h.token {
		h.refuse(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
		return
	}
	path := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(path, "/api/models/"); ok {
		h.api.Add(1)
		h.serveAPI(w, r, rest)
		return
	}
	id, rest, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/resolve/")
	commit, name, _ := strings.Cut(rest, "/")
	if !ok || id != testID {
		h.refuse(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
		return
	}
	if commit != h.commit && commit != "main" {
		h.refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id")
		return
	}
	if h.gated && auth == "" {
		h.refuse(w, http.StatusUnauthorized, "GatedRepo", "Access to model is restricted")
		return
	}
	name, _ = url.PathUnescape(name)
	f, ok := h.files[name]
	if !ok {
		h.refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	h.resolved.Add(1)
	w.Header().Set("X-Repo-Commit", h.commit)
	if f.large {
		w.Header().Set("X-Linked-Etag", `"`+f.digest()+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(f.content)))
		w.Header().Set("Location", h.cdn.URL+"/blob/"+url.PathEscape(name)+"?Signature=secret-signature")
		w.WriteHeader(http.StatusFound)
		return
	}
	w.Header().Set("ETag", `"`+f.digest()+`"`)
	h.content(w, r, f)
}

func (h *fakeHub) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	id, what, _ := strings.Cut(path, "/revision/")
	tree := false
	if before, after, ok := strings.Cut(path, "/tree/"); ok {
		id, what, tree = before, after, true
	}
	if id != testID {
		h.refuse(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
		return
	}
	if revision, _ := url.PathUnescape(what); revision != "main" && revision != "refs/pr/1" && revision != h.commit {
		h.refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+revision)
		return
	}
	var files []any
	for name, f := range h.files {
		if tree { // as huggingface_hub requests
			entry := map[string]any{"type": "file", "path": name, "size": len(f.content), "oid": f.git()}
			if f.large {
				entry["lfs"] = map[string]any{"oid": f.digest(), "size": len(f.content), "pointerSize": 134}
			}
			files = append(files, entry)
			continue
		}
		entry := map[string]any{"rfilename": name}
		if !h.bare && r.URL.Query().Get("blobs") == "true" {
			entry["size"], entry["blobId"] = len(f.content), f.git()
			if f.large {
				entry["lfs"] = map[string]any{"sha256": f.digest(), "size": len(f.content), "pointerSize": 134}
			}
		}
		files = append(files, entry)
	}
	w.Header().Set("Content-Type", "application/json")
	var answer any = files
	if !tree {
		answer = map[string]any{"id": testID, "modelId": testID, "sha": h.commit, "private": false, "downloads": 1, "tags": []string{}, "siblings": files, "gated": false}
		if h.gated {
			answer.(map[string]any)["gated"] = "auto"
		}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		h.t.Error(err)
	}
}

func (h *fakeHub) serveCDN(w http.ResponseWriter, r *http.Request) {
	h.note(r)
	if r.Header.Get("Authorization") != "" {
		h.t.Errorf("the storage received the token: %s", r.URL)
	}
	if hook := h.hook(&h.onCDN); hook != nil && hook(w, r) {
		return
	}
	if r.URL.Query().Get("Signature") == "" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	f, ok := h.files[strings.TrimPrefix(r.URL.Path, "/blob/")]
	if !ok {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("ETag", `"of-the-storage-and-no-other"`)
	h.content(w, r, f)
}

// content serves a file with ranges, and counts the bytes.
func (h *fakeHub) content(w http.ResponseWriter, r *http.Request, f storedFile) {
	http.ServeContent(counted{w, &h.served}, r, "", time.Time{}, bytes.NewReader(f.content))
}

type counted struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n.Add(int64(n))
	return n, err
}

// client returns a client of the fake Hub that does not wait between attempts.
func (h *fakeHub) client(cacheDir string, change ...func(*Options)) *Client {
	h.t.Helper()
	o := Options{Endpoint: h.hub.URL, CacheDir: cacheDir}
	if h.token != "" {
		o.Token = NewToken(h.token)
	}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		h.t.Fatal(err)
	}
	c.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return c
}

func offline(o *Options) { o.Offline = true }

func parse(t *testing.T, name string) Repo {
	t.Helper()
	r, err := Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func find(t *testing.T, c *Client) Model {
	t.Helper()
	m, err := c.Find(t.Context(), parse(t, testID))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func names(files []File) []string {
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names
}

// requested counts the requests with a prefix.
func (h *fakeHub) requested(prefix string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, r := range h.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}
