package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testToken  = "hf_thisIsASecretOfTheTests"
	testCommit = "0123456789abcdef0123456789abcdef01234567"
	testRepo   = "org/model-1"
)

// fakeHub behaves as the Hub does: an API, small files served by itself, large
// ones by redirect to another host.
type fakeHub struct {
	t        testing.TB
	hub, cdn *httptest.Server
	files    map[string][]byte

	mu     sync.Mutex
	sent   int64 // bytes of files
	asked  map[string]int
	ranges []string
	faults []func(w http.ResponseWriter, r *http.Request) bool // the first that takes a request for a file ends
	api    func(w http.ResponseWriter) bool
	slow   time.Duration // after each 64 KiB
}

func newFakeHub(t testing.TB) *fakeHub {
	h := &fakeHub{t: t, asked: map[string]int{}, files: map[string][]byte{
		"config.json": []byte(`{"architectures":["X"]}`), "tokenizer.json": []byte("{}"), "README.md": []byte("no"),
		"original/consolidated.safetensors": []byte("no"), "pytorch_model.bin": []byte("no, there are safetensors"),
		"model-00001-of-00002.safetensors": noise(3_000_000), "model-00002-of-00002.safetensors": noise(2_500_000),
		"model.safetensors.index.json": []byte(`{"weight_map":{}}`), "consolidated.safetensors": []byte("another form"),
	}}
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serveCDN))
	h.hub = httptest.NewServer(http.HandlerFunc(h.serveHub))
	t.Cleanup(func() { h.hub.Close(); h.cdn.Close() })
	return h
}

// locked lets a test look at what requests change, which may still be under
// way when a download has ended.
func (h *fakeHub) locked(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do()
}

// bytesSent is how much of the files has been sent.
func (h *fakeHub) bytesSent() (n int64) {
	h.locked(func() { n = h.sent })
	return n
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func isLarge(name string) bool { return strings.HasSuffix(name, ".safetensors") }

func blobOf(name string, content []byte) string {
	if isLarge(name) {
		sum := sha256.Sum256(content)
		return hex.EncodeToString(sum[:])
	}
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(content)), content...))
	return hex.EncodeToString(sum[:])
}

func (h *fakeHub) serveHub(w http.ResponseWriter, r *http.Request) {
	if got := r.Header.Get("Authorization"); got != "" && got != "Bearer "+testToken {
		w.Header().Set("X-Error-Message", "Invalid credentials in Authorization header")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/"+testRepo+"/resolve/"+testCommit+"/"); ok {
		h.mu.Lock()
		h.asked[name]++
		fault := func(http.ResponseWriter, *http.Request) bool { return false }
		if len(h.faults) > 0 {
			fault, h.faults = h.faults[0], h.faults[1:]
		}
		h.mu.Unlock()
		switch {
		case fault(w, r):
		case isLarge(name):
			http.Redirect(w, r, h.cdn.URL+"/"+name+"?signature=secretOfTheLink", http.StatusFound)
		default:
			h.serve(w, r, name)
		}
		return
	}
	if h.api != nil && h.api(w) {
		return
	}
	switch r.URL.Path {
	case "/api/models/" + testRepo + "/revision/main", "/api/models/" + testRepo + "/revision/v1.0":
		_ = json.NewEncoder(w).Encode(h.listing())
	case "/api/models/org/gated/revision/main":
		w.Header().Set("X-Error-Code", "GatedRepo")
		w.WriteHeader(http.StatusForbidden)
	case "/api/models/" + testRepo + "/revision/nonesuch":
		w.Header().Set("X-Error-Code", "RevisionNotFound")
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("X-Error-Code", "RepoNotFound")
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func (h *fakeHub) listing() any {
	var siblings []any
	for name, content := range h.files {
		s := map[string]any{"rfilename": name, "size": len(content), "blobId": blobOf("", content)}
		if isLarge(name) {
			s["lfs"] = map[string]any{"sha256": blobOf(name, content), "size": len(content), "pointerSize": 134}
		}
		siblings = append(siblings, s)
	}
	return map[string]any{"id": testRepo, "sha": testCommit, "siblings": siblings}
}

func (h *fakeHub) serveCDN(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		h.t.Error("the token was sent to the second host")
	}
	h.serve(w, r, strings.TrimPrefix(r.URL.Path, "/"))
}

// serve sends a file or a range of it.
func (h *fakeHub) serve(w http.ResponseWriter, r *http.Request, name string) {
	content := h.files[name]
	var begin int
	if text := r.Header.Get("Range"); text != "" {
		h.mu.Lock()
		h.ranges = append(h.ranges, text)
		h.mu.Unlock()
		begin, _ = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(text, "bytes="), "-"))
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", begin, len(content)-1, len(content)))
		w.WriteHeader(http.StatusPartialContent)
	}
	for rest := content[begin:]; len(rest) > 0; {
		n, err := w.Write(rest[:min(len(rest), 64<<10)])
		if err != nil {
			return
		}
		h.mu.Lock()
		h.sent += int64(n)
		slow := h.slow
		h.mu.Unlock()
		if slow > 0 {
			w.(http.Flusher).Flush()
			time.Sleep(slow)
		}
		rest = rest[n:]
	}
}
