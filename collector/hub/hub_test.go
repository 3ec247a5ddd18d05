package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// With this variable set the test binary downloads from the endpoint that it
// names into the folder that it names.
const downloads = "SLLMQ_TEST_DOWNLOADS"

func TestMain(m *testing.M) {
	if endpoint, dir, ok := strings.Cut(os.Getenv(downloads), "|"); ok {
		if _, err := Download(context.Background(), Options{Endpoint: endpoint, CacheDir: dir}, Repo{testRepo, "main"}, nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// options fetch from h without pauses, which are kept in waited.
func (h *fakeHub) options(t testing.TB, waited *[]time.Duration) Options {
	return Options{Endpoint: h.hub.URL, CacheDir: filepath.Join(t.TempDir(), "hub"), Token: NewToken(testToken),
		Wait: func(ctx context.Context, d time.Duration) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if waited != nil {
				*waited = append(*waited, d)
			}
			return ctx.Err()
		}}
}

var main1 = Repo{testRepo, "main"}

// holds checks that a snapshot is what a checkpoint needs and nothing else.
func (h *fakeHub) holds(t *testing.T, s Snapshot) {
	t.Helper()
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		got, err := os.ReadFile(filepath.Join(s.Dir, e.Name()))
		if err != nil || !bytes.Equal(got, h.files[e.Name()]) {
			t.Errorf("%s: %d bytes, %v", e.Name(), len(got), err)
		}
		target, err := os.Readlink(filepath.Join(s.Dir, e.Name()))
		if err != nil || target != "../../blobs/"+blobOf(e.Name(), h.files[e.Name()]) {
			t.Errorf("%s points to %s, %v", e.Name(), target, err)
		}
	}
	want := []string{"config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json"}
	if !slices.Equal(names, want) {
		t.Errorf("fetched %q, want %q", names, want)
	}
}

func TestDownload(t *testing.T) {
	h := newFakeHub(t)
	o := h.options(t, nil)
	l, err := List(t.Context(), o, main1)
	if err != nil {
		t.Fatal(err)
	}
	var told atomic.Int64
	s, err := Download(t.Context(), o, main1, func(n int64) { told.Add(n) })
	if err != nil {
		t.Fatal(err)
	}
	h.holds(t, s)
	if s.Commit != testCommit || told.Load() != l.Bytes() || Missing(o, l) != 0 {
		t.Errorf("commit %s, %d of %d bytes told, %d missing", s.Commit, told.Load(), l.Bytes(), Missing(o, l))
	}
	ref, err := os.ReadFile(filepath.Join(o.CacheDir, "models--org--model-1/refs/main"))
	if err != nil || string(ref) != testCommit {
		t.Errorf("refs/main is %q, %v", ref, err)
	}
	// Nothing is fetched again, by another name of the commit neither.
	sent := h.bytesSent()
	if _, err := Download(t.Context(), o, Repo{testRepo, "v1.0"}, nil); err != nil || h.bytesSent() != sent {
		t.Errorf("%d bytes were sent again, %v", h.bytesSent()-sent, err)
	}
	// Offline, and with the Hub away.
	o.Offline = true
	if s, err := Download(t.Context(), o, main1, nil); err != nil || s.Commit != testCommit {
		t.Errorf("offline: %+v, %v", s, err)
	}
	if _, err := Download(t.Context(), o, Repo{"org/other", "main"}, nil); !errors.Is(err, ErrNotCached) {
		t.Errorf("offline: %v", err)
	}
	o.Offline = false
	h.hub.Close()
	said := ""
	o.Note = func(line string) { said = line }
	if s, err := Download(t.Context(), o, main1, nil); err != nil || s.Commit != testCommit || !strings.Contains(said, "taken from the cache") {
		t.Errorf("away: %+v, %v, %q", s, err, said)
	}
}

func TestDownloadTriesAgain(t *testing.T) {
	h := newFakeHub(t)
	status := func(code int, header ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			return true
		}
	}
	cut := func(w http.ResponseWriter, r *http.Request) bool {
		name := filepath.Base(r.URL.Path)
		w.Header().Set("Content-Length", fmt.Sprint(len(h.files[name])))
		_, _ = w.Write(h.files[name][:len(h.files[name])/2])
		return true
	}
	wrong := func(w http.ResponseWriter, r *http.Request) bool {
		b := bytes.Clone(h.files[filepath.Base(r.URL.Path)])
		b[len(b)/2] ^= 1
		_, _ = w.Write(b)
		return true
	}
	longer := func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = w.Write(append(bytes.Clone(h.files[filepath.Base(r.URL.Path)]), "more"...))
		return true
	}
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"429": status(http.StatusTooManyRequests, "Retry-After", "7"), "503": status(http.StatusServiceUnavailable), "500": status(http.StatusInternalServerError),
		"cut": cut, "wrong": wrong, "longer": longer,
	} {
		var waited []time.Duration
		o := h.options(t, &waited)
		o.Parallel = 1
		h.locked(func() { h.faults = []func(http.ResponseWriter, *http.Request) bool{fault, fault} })
		s, err := Download(t.Context(), o, main1, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		h.holds(t, s)
		if len(waited) == 0 || name == "429" && waited[0] != 7*time.Second {
			t.Errorf("%s: waited %v", name, waited)
		}
	}
	// It ends at some time, and says why.
	o := h.options(t, nil)
	for range 200 {
		h.locked(func() { h.faults = append(h.faults, status(http.StatusBadGateway)) })
	}
	if _, err := Download(t.Context(), o, main1, nil); err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("%v", err)
	}
	h.locked(func() { h.faults = nil })
	if s, err := Download(t.Context(), o, main1, nil); err != nil {
		t.Error(err)
	} else {
		h.holds(t, s)
	}
}

func TestRefusals(t *testing.T) {
	h := newFakeHub(t)
	o := h.options(t, nil)
	for _, test := range []struct {
		repo  Repo
		token string
		kind  error
		want  string
	}{
		{Repo{"org/gated", "main"}, testToken, ErrGated, "ask for it at " + h.hub.URL + "/org/gated, then set HF_TOKEN"},
		{Repo{"org/gated", "main"}, "", ErrGated, "no token was given"},
		{Repo{"org/none", "main"}, "", ErrNotFound, "check the name; a private model needs HF_TOKEN"},
		{Repo{testRepo, "nonesuch"}, "", ErrNotFound, "has no revision nonesuch"},
		{main1, "hf_wrong", ErrWrongToken, "settings/tokens"},
	} {
		o.Token = NewToken(test.token)
		_, err := Download(t.Context(), o, test.repo, nil)
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", test.repo, err)
		}
	}
	o.Token = NewToken(testToken)
	o.Free = func(string) (int64, error) { return 1 << 20, nil }
	if _, err := Download(t.Context(), o, main1, nil); !errors.Is(err, ErrNoRoom) || !strings.Contains(err.Error(), "set HF_HOME") {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(o.CacheDir); err == nil && len(entries) > 0 {
		t.Errorf("%d folders were made for what was refused", len(entries))
	}
}

func TestTokenIsNeverShown(t *testing.T) {
	o := Options{Token: NewToken(" " + testToken + "\n")}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "options", o.Token)
	text, err := json.Marshal(o.Token)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(o.Token), fmt.Sprintf("%v %+v %#v %s %q %x", o, o, o.Token, o.Token, o.Token, o.Token), b.String(), string(text)} {
		if strings.Contains(shown, "hf_") || strings.Contains(shown, fmt.Sprintf("%x", testToken)) {
			t.Errorf("shown: %s", shown)
		}
	}
	// Nor the key in a redirect's address.
	h := newFakeHub(t)
	h.cdn.Close()
	_, err = Download(t.Context(), h.options(t, nil), main1, nil)
	if err == nil || strings.Contains(err.Error(), "secretOfTheLink") || strings.Contains(err.Error(), testToken) {
		t.Errorf("%v", err)
	}
}

func TestHostileListings(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":   "<html>",
		"no commit": `{"sha":"../../x","siblings":[]}`,
		"no blob":   `{"sha":"` + testCommit + `","siblings":[{"rfilename":"model.safetensors","size":1,"blobId":"../../../etc/passwd"}]}`,
		"negative":  `{"sha":"` + testCommit + `","siblings":[{"rfilename":"model.safetensors","size":-1,"blobId":"` + testCommit + `"}]}`,
		"huge":      `{"sha":"` + testCommit + `","siblings":[{"rfilename":"model.safetensors","size":9223372036854775807,"blobId":"` + testCommit + `"}]}`,
		"no size":   `{"sha":"` + testCommit + `","siblings":[{"rfilename":"model.safetensors","blobId":"` + testCommit + `"}]}`,
		"nothing":   `{"sha":"` + testCommit + `","siblings":[{"rfilename":"../model.safetensors","size":1,"blobId":"` + testCommit + `"}]}`,
	} {
		if l, err := parseListing(main1, []byte(text)); err == nil {
			t.Errorf("%s: %+v", name, l)
		}
	}
	for _, name := range []string{"", "a/b/c", "../x", "a/..", "org/na me", "org/x@", "org/x@../y", "org/x@a//b", "-x/y", "org/" + strings.Repeat("x", 97), "a--b/c", "org/x@main;rm"} {
		if r, err := Parse(name); err == nil {
			t.Errorf("%q is taken as %+v", name, r)
		}
	}
	if r, err := Parse("org/model-1.5_x@refs/pr/3"); err != nil || r.Revision != "refs/pr/3" {
		t.Errorf("%+v, %v", r, err)
	}
}

func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"sha":"` + testCommit + `","siblings":[{"rfilename":"model.safetensors","size":1,"blobId":"` + testCommit + `"},{"rfilename":"config.json","size":2,"blobId":"` + testCommit + `"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseListing(main1, text)
		if err != nil {
			return
		}
		for _, file := range l.Files {
			if filepath.Base(file.Name) != file.Name || filepath.Base(file.Blob) != file.Blob || file.Name[0] == '.' || file.Size < 0 {
				t.Fatalf("%+v", file)
			}
		}
	})
}

func TestAKilledDownloadIsTakenUp(t *testing.T) {
	h := newFakeHub(t)
	h.slow = 5 * time.Millisecond
	o := h.options(t, nil)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), downloads+"="+h.hub.URL+"|"+o.CacheDir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		if h.bytesSent() > 2_000_000 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("it ended before it was killed")
	}
	if _, there := Cached(o, main1); there {
		t.Fatal("half of a model is taken for one")
	}
	time.Sleep(50 * time.Millisecond) // the server notices
	h.locked(func() { h.slow, h.sent = 0, 0 })
	s, err := Download(t.Context(), o, main1, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.holds(t, s)
	h.locked(func() {
		if len(h.ranges) == 0 || h.sent > 5_000_000 {
			t.Errorf("%d bytes were sent after the kill, by ranges %q", h.sent, h.ranges)
		}
	})
}

func TestTwoDownloadsAtOnce(t *testing.T) {
	h := newFakeHub(t)
	h.slow = time.Millisecond
	o := h.options(t, nil)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := Download(context.Background(), o, main1, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s, _ := Cached(o, main1)
	h.holds(t, s)
	h.locked(func() {
		for name, n := range h.asked {
			if n != 1 {
				t.Errorf("%s was fetched %d times", name, n)
			}
		}
	})
}

func TestFromEnvironment(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "token"), []byte("hf_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HF_HOME": home, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "https://mirror.example/"}
	o, err := FromEnvironment(func(name string) string { return env[name] })
	if err != nil || o.CacheDir != filepath.Join(home, "hub") || o.Token.secret != "hf_file" || !o.Offline || o.Endpoint != "https://mirror.example" {
		t.Errorf("%+v, %v", o, err)
	}
	env["HF_TOKEN"], env["HF_HUB_CACHE"] = "hf_variable", "/cache"
	o, err = FromEnvironment(func(name string) string { return env[name] })
	if err != nil || o.CacheDir != "/cache" || o.Token.secret != "hf_variable" {
		t.Errorf("%+v, %v", o, err)
	}
	env["HF_ENDPOINT"] = "ftp://x"
	if _, err = FromEnvironment(func(name string) string { return env[name] }); err == nil {
		t.Error("ftp is taken")
	}
}

// TestCacheForJudge fetches into the folder that scripts/fixtures/check.sh
// names, for huggingface_hub to look at.
func TestCacheForJudge(t *testing.T) {
	dir := os.Getenv("SLLMQ_TEST_HUB_CACHE")
	if dir == "" {
		t.Skip("runs from scripts/fixtures/check.sh")
	}
	o := newFakeHub(t).options(t, nil)
	o.CacheDir = dir
	if _, err := Download(t.Context(), o, main1, nil); err != nil {
		t.Fatal(err)
	}
}
