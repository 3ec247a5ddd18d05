package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	const other = "hf_NotThatOne"
	for _, test := range []struct {
		name, model string
		gated       bool
		token       string // of the client
		right       string // the valid token
		status      int    // of every answer, if not 0
		want        error
		text        string
	}{
		{name: "gated for strangers", model: testID, gated: true, want: ErrGated, text: "accept its terms"},
		{name: "wrong token", model: testID, token: other, right: testSecret, want: ErrToken, text: "HF_TOKEN"},
		{name: "wrong token, no such model", model: "no/body", token: other, right: testSecret, want: ErrToken, text: "HF_TOKEN"},
		{name: "no such model", model: "no/body", want: ErrNoRepo, text: "if it is private"},
		{name: "no such model for us", model: "no/body", token: testSecret, right: testSecret, want: ErrNoRepo, text: "with access"},
		{name: "no such revision", model: testID + "@v9", want: ErrNoRevision, text: `"v9"`},
		{name: "forbidden", model: testID, token: testSecret, right: testSecret, status: 403, want: ErrToken, text: "read access"},
		{name: "forbidden for strangers", model: testID, status: 403, want: ErrNoRepo, text: "private"},
		{name: "missing", model: testID, status: 404, want: ErrNoRepo, text: "check the name"},
		{name: "teapot", model: testID, status: 418, want: ErrBadAnswer, text: "418"},
		{name: "down", model: testID, status: 503, want: ErrUnreachable, text: "503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeHub(t, smallModel())
			h.gated, h.token = test.gated, test.right
			if test.status != 0 {
				h.onHub = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(test.status); return true }
			}
			c := h.client(t.TempDir(), func(o *Options) { o.Token = NewToken(test.token) })
			_, err := c.Find(t.Context(), parse(t, test.model))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Fatalf("got %v, want %v with %q", err, test.want, test.text)
			}
			oneLine(t, err)
			if strings.Contains(err.Error(), other) {
				t.Errorf("error contains the token: %v", err)
			}
		})
	}
	t.Run("gated, without access", func(t *testing.T) {
		h := newFakeHub(t, smallModel())
		h.gated, h.token = true, testSecret
		h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/resolve/") {
				h.refuse(w, 403, "GatedRepo", "not on the list")
				return true
			}
			return false
		}
		_, err := h.client(t.TempDir()).Find(t.Context(), parse(t, testID))
		if !errors.Is(err, ErrGated) || !strings.Contains(err.Error(), "request it") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("gated, with access", func(t *testing.T) {
		h := newFakeHub(t, smallModel())
		h.gated, h.token = true, testSecret
		download(t, h, h.client(t.TempDir()))
	})
	t.Run("file gone", func(t *testing.T) {
		h := newFakeHub(t, smallModel())
		c := h.client(t.TempDir())
		m := find(t, c)
		delete(h.files, "config.json")
		_, err := c.Download(t.Context(), m, nil)
		if !errors.Is(err, ErrNoFile) || !strings.Contains(err.Error(), "config.json") {
			t.Errorf("got %v", err)
		}
		oneLine(t, err)
	})
	t.Run("offline", func(t *testing.T) {
		h := newFakeHub(t, smallModel())
		_, err := h.client(t.TempDir(), offline).Find(t.Context(), parse(t, testID))
		if !errors.Is(err, ErrNotCached) {
			t.Errorf("got %v", err)
		}
		oneLine(t, err)
		if h.requested("") > 0 {
			t.Errorf("requests while offline: %v", h.requests)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		h := newFakeHub(t, smallModel())
		h.hub.Close()
		_, err := h.client(t.TempDir()).Find(t.Context(), parse(t, testID))
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
		oneLine(t, err)
	})
	t.Run("storage refuses", func(t *testing.T) {
		h := newFakeHub(t, smallModel())
		h.onCDN = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(403); return true }
		c := h.client(t.TempDir())
		_, err := c.Download(t.Context(), find(t, c), nil)
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
		oneLine(t, err)
	})
}

// TestRedirects checks that only the Hub's own scheme, host and port get the
// token.
func TestRedirects(t *testing.T) {
	h := newFakeHub(t, smallModel())
	h.token = testSecret
	renamed := 0
	h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/api/models/old/name/"); ok {
			renamed++
			if r.Header.Get("Authorization") == "" {
				t.Error("the Hub did not receive the token")
			}
			http.Redirect(w, r, "/api/models/"+testID+"/"+rest+"?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
			return true
		}
		if rest, ok := strings.CutPrefix(r.URL.Path, "/old/name/"); ok {
			http.Redirect(w, r, "/"+testID+"/"+rest, http.StatusTemporaryRedirect)
			return true
		}
		if strings.HasPrefix(r.URL.Path, "/"+testID) && r.Header.Get("Authorization") == "" {
			t.Error("the Hub did not receive the token after a redirect to itself")
		}
		return false
	}
	c := h.client(t.TempDir())
	m, err := c.Find(t.Context(), parse(t, "old/name"))
	if err != nil || renamed == 0 {
		t.Fatal(err)
	}
	s, err := c.Download(t.Context(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, h, c, s)
	if !strings.Contains(s.Dir, "models--old--name") {
		t.Errorf("snapshot in %s", s.Dir)
	}

	for _, location := range []string{"/somewhere/" + "for/ever", "ftp://elsewhere/x", "//"} {
		h.setHook(&h.onHub, func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
			return true
		})
		before := h.requested("")
		_, err := c.Find(t.Context(), parse(t, testID))
		if !errors.Is(err, ErrBadAnswer) || h.requested("")-before > maxRedirects {
			t.Errorf("redirect to %q: %v after %d requests", location, err, h.requested("")-before)
		}
		oneLine(t, err)
	}
}

// TestHostileListings tries answers that the API must not give.
func TestHostileListings(t *testing.T) {
	sha := strings.Repeat("a", 64)
	git := strings.Repeat("b", 40)
	entry := func(name string) string {
		return fmt.Sprintf(`{"rfilename": %q, "size": 1, "blobId": %q}`, name, git)
	}
	wrap := func(files string) string {
		return fmt.Sprintf(`{"sha": %q, "siblings": [%s]}`, testCommit, files)
	}
	for _, answer := range []string{
		"", "null", "[]", "{", `{"sha": "../../../../etc", "siblings": []}`, `{"sha": "main"}`,
		wrap(entry("../model.safetensors")), wrap(entry("/etc/passwd")), wrap(entry("a/../../b.safetensors")),
		wrap(entry(`a\b`)), wrap(`{"rfilename": "a\u0000b", "size": 1}`), wrap(entry("")), wrap(entry(".")), wrap(entry("a//b")), wrap(entry("a/")),
		wrap(entry("a\nb")), wrap(entry(strings.Repeat("x", 300))), wrap(entry(strings.Repeat("x/", 600) + "y")),
		wrap(entry("model.safetensors") + "," + entry("model.safetensors")),
		wrap(`{"rfilename": "model.safetensors", "size": -1}`),
		wrap(`{"rfilename": "model.safetensors", "size": 9000000000000000000}`),
		wrap(`{"rfilename": "model.safetensors", "size": 1e400}`),
		wrap(`{"rfilename": "model.safetensors", "size": 1, "blobId": "../../x"}`),
		wrap(`{"rfilename": "model.safetensors", "size": 1, "lfs": {"sha256": "short", "size": 1}}`),
		wrap(`{"rfilename": "model.safetensors", "size": 1, "lfs": {"sha256": "` + strings.ToUpper(sha) + `", "size": 1}}`),
		wrap(entry("x") + strings.Repeat(","+`{"rfilename":"x"}`, maxFiles)),
		strings.Repeat(" ", maxListingBytes+1),
		wrap(entry("README.md")), // no weights
	} {
		h := newFakeHub(t, nil)
		h.onHub = func(w http.ResponseWriter, r *http.Request) bool { _, _ = w.Write([]byte(answer)); return true }
		dir := t.TempDir()
		_, err := h.client(dir).Find(t.Context(), parse(t, testID))
		if err == nil {
			t.Errorf("accepted %.200q", answer)
		}
		oneLine(t, err)
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("%.200q wrote %v", answer, entries)
		}
	}
}

// TestHostileIndex tries indexes with shards that the repository does not list.
func TestHostileIndex(t *testing.T) {
	for _, index := range []string{
		"", "{}", `{"weight_map": {}}`, `{"weight_map": {"a": "../../x.safetensors"}}`, `{"weight_map": {"a": "config.json"}}`,
		`{"weight_map": {"a": 1}}`, `{"weight_map": {"a": "model-00003-of-00002.safetensors"}}`,
	} {
		files := smallModel()
		files["model.safetensors.index.json"] = storedFile{content: []byte(index)}
		h := newFakeHub(t, files)
		_, err := h.client(t.TempDir()).Find(t.Context(), parse(t, testID))
		if err == nil {
			t.Errorf("accepted %q", index)
		}
		oneLine(t, err)
	}
}

// TestHostileModel tries Models that Find would not return.
func TestHostileModel(t *testing.T) {
	h := newFakeHub(t, smallModel())
	c := h.client(t.TempDir())
	good := find(t, c)
	for _, change := range []func(*Model){
		func(m *Model) { m.Commit = "../x" },
		func(m *Model) { m.Repo.ID = "../x" },
		func(m *Model) { m.Repo.Revision = "../x" },
		func(m *Model) { m.Files[0].Name = "../x" },
		func(m *Model) { m.Files[0].Digest = "../x" },
		func(m *Model) { m.Files[0].Digest = "" },
		func(m *Model) { m.Files[0].Size = -1 },
	} {
		m := good
		m.Files = append([]File(nil), good.Files...)
		change(&m)
		if _, err := c.Download(t.Context(), m, nil); err == nil {
			t.Errorf("accepted %+v", m)
		}
	}
}

// TestLargeHeaders checks that headers are bounded.
func TestLargeHeaders(t *testing.T) {
	h := newFakeHub(t, smallModel())
	h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-Large", strings.Repeat("x", 2*maxHeaderBytes))
		return true
	}
	_, err := h.client(t.TempDir()).Find(t.Context(), parse(t, testID))
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	oneLine(t, err)
}

// TestCompressed checks that compressed bodies are refused.
func TestCompressed(t *testing.T) {
	h := newFakeHub(t, smallModel())
	h.onHub = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("Accept-Encoding is %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		return false
	}
	_, err := h.client(t.TempDir()).Find(t.Context(), parse(t, testID))
	if !errors.Is(err, ErrBadAnswer) {
		t.Errorf("got %v", err)
	}
	oneLine(t, err)
}

// TestTokenStaysHidden prints and encodes values that contain a token.
func TestTokenStaysHidden(t *testing.T) {
	token := NewToken(" " + testSecret + "\n")
	o := Options{Token: token, CacheDir: t.TempDir()}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{token, &token, o, &o, c, *c, []Token{token}, map[string]any{"t": token}, struct{ hidden Token }{token}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
			fmt.Fprintf(&out, verb, v)
		}
		fmt.Fprintln(&out, v)
		for _, l := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(l).Info("options", "value", v)
		}
		_ = json.NewEncoder(&out).Encode(v)
	}
	if s := out.String(); strings.Contains(s, testSecret) || strings.Contains(s, fmt.Sprintf("%x", testSecret)) {
		t.Errorf("output contains the token")
	}
	if fmt.Sprint(token) != hidden || fmt.Sprint(Token{}) != "" {
		t.Errorf("tokens print as %v and %v", token, Token{})
	}
	for _, bad := range []string{"two words", "line\nbreak", "tökén", strings.Repeat("x", 5000)} {
		if _, err := New(Options{Token: NewToken(bad), CacheDir: t.TempDir()}); err == nil || strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestParse(t *testing.T) {
	for name, want := range map[string]Repo{
		"gpt2":                         {"gpt2", "main"},
		"facebook/opt-6.7b":            {"facebook/opt-6.7b", "main"},
		"facebook/opt-6.7b@v1.0":       {"facebook/opt-6.7b", "v1.0"},
		"a/b@refs/pr/12":               {"a/b", "refs/pr/12"},
		"a_/_b@" + testCommit:          {"a_/_b", testCommit},
		"a/" + strings.Repeat("x", 94): {"a/" + strings.Repeat("x", 94), "main"},
	} {
		if got, err := Parse(name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{
		"", "/", "a/", "/a", "a/b/c", ".", "..", "../a", "a/..", "a..b", "a--b", "-a", "a-", ".a", "a.", "a b", "a/b ", "a\\b", "a\x00b", "ä/b",
		"a/b.git", "a/" + strings.Repeat("x", 95), "a/b?x=1", "a/b#c", "a%2fb", "a\nb",
		"a@", "a@..", "a@/x", "a@x/", "a@x//y", "a@../../x", "a@-x", "a@x.lock", "a@.x", "a@x\\y", "a@x y", "a@x@y", "a@x\n", "a@" + strings.Repeat("x", 201),
	} {
		_, err := Parse(name)
		if err == nil {
			t.Errorf("accepted %q", name)
		}
		oneLine(t, err)
	}
}

func TestFromEnvironment(t *testing.T) {
	home := t.TempDir()
	cache := filepath.Join(home, ".cache", "huggingface")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cache, "token"), []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "other"), []byte("other-file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		env             map[string]string
		cacheDir, token string
		offline         bool
	}{
		{env: map[string]string{}, cacheDir: cache + "/hub", token: "from-file"},
		{env: map[string]string{"HF_TOKEN": " mine "}, cacheDir: cache + "/hub", token: "mine"},
		{env: map[string]string{"HUGGING_FACE_HUB_TOKEN": "old", "HF_HUB_OFFLINE": "yes"}, cacheDir: cache + "/hub", token: "old", offline: true},
		{env: map[string]string{"HF_TOKEN_PATH": "~/other", "HF_HUB_OFFLINE": "0"}, cacheDir: cache + "/hub", token: "other-file"},
		{env: map[string]string{"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_TOKEN": "x"}, cacheDir: cache + "/hub"},
		{env: map[string]string{"HF_HOME": "/hf"}, cacheDir: "/hf/hub"},
		{env: map[string]string{"HF_HOME": "$HOME/hf", "TRANSFORMERS_OFFLINE": "1"}, cacheDir: home + "/hf/hub", offline: true},
		{env: map[string]string{"XDG_CACHE_HOME": "/xdg"}, cacheDir: "/xdg/huggingface/hub"},
		{env: map[string]string{"HF_HUB_CACHE": "~/c", "HF_HOME": "/hf"}, cacheDir: home + "/c"},
		{env: map[string]string{"HUGGINGFACE_HUB_CACHE": "/c"}, cacheDir: "/c", token: "from-file"},
	} {
		test.env["HOME"] = home
		o, err := FromEnvironment(func(name string) string { return test.env[name] })
		token := ""
		if !o.Token.IsZero() {
			token = o.Token.reveal()
		}
		if err != nil || o.CacheDir != test.cacheDir || token != test.token || o.Offline != test.offline {
			t.Errorf("%v: %+v, token %q, %v", test.env, o, token, err)
		}
	}
	if _, err := FromEnvironment(func(string) string { return "" }); err == nil {
		t.Error("found a cache without HOME")
	}
	if _, err := FromEnvironment(func(name string) string { return map[string]string{"HOME": home, "HF_TOKEN_PATH": home}[name] }); err == nil {
		t.Error("read a token from a folder")
	}
	for _, endpoint := range []string{"huggingface.co", "ftp://x", "https://", "https://me:word@x", "https://x?y", "://"} {
		if _, err := New(Options{Endpoint: endpoint, CacheDir: home}); err == nil || strings.Contains(err.Error(), "word") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}
