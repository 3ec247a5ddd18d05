// Package hub fetches models from Hugging Face's Hub into the cache that
// huggingface_hub uses, so that what Python fetched is not fetched again, and
// Python finds what was fetched here. The cache's layout is documented at
// https://huggingface.co/docs/huggingface_hub/guides/manage-cache, the HTTP
// interface at https://huggingface.co/docs/hub/api.
package hub

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Token is an access token, which prints as stars wherever it goes.
type Token struct{ secret string }

// NewToken wraps a token; white space around it, which files have, is dropped.
func NewToken(secret string) Token { return Token{strings.TrimSpace(secret)} }

// Format hides the token from every verb of fmt.
func (t Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("***")) }

// MarshalText hides the token from encoders and from log/slog.
func (t Token) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Options say where models come from and go to.
type Options struct {
	Endpoint string // https://huggingface.co
	CacheDir string // holds models--ORG--NAME
	Token    Token  // empty for none
	Offline  bool   // only what is in the cache
	Parallel int    // files at once; 0 is 4

	Client *http.Client                               // nil: one of its own
	Wait   func(context.Context, time.Duration) error // before another try; nil: really waits
	Free   func(dir string) (bytes int64, err error)  // room on a filesystem; nil: asks the system
	Note   func(line string)                          // what people should know; nil: nobody is told
}

// FromEnvironment reads the variables that huggingface_hub reads: HF_ENDPOINT,
// HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, and the file
// that its login leaves the token in.
func FromEnvironment(getenv func(string) string) (Options, error) {
	home := getenv("HF_HOME")
	if home == "" {
		base := getenv("XDG_CACHE_HOME")
		if base == "" {
			user, err := os.UserHomeDir()
			if err != nil {
				return Options{}, fmt.Errorf("find the cache of models: %w: set HF_HOME", err)
			}
			base = filepath.Join(user, ".cache")
		}
		home = filepath.Join(base, "huggingface")
	}
	o := Options{Endpoint: getenv("HF_ENDPOINT"), CacheDir: getenv("HF_HUB_CACHE"), Token: NewToken(getenv("HF_TOKEN"))}
	if o.Endpoint == "" {
		o.Endpoint = "https://huggingface.co"
	}
	o.Endpoint = strings.TrimRight(o.Endpoint, "/")
	if u, err := url.Parse(o.Endpoint); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return Options{}, fmt.Errorf("HF_ENDPOINT is no address such as https://huggingface.co")
	}
	if o.CacheDir == "" {
		o.CacheDir = filepath.Join(home, "hub")
	}
	if o.Token.secret == "" {
		file := getenv("HF_TOKEN_PATH")
		if file == "" {
			file = filepath.Join(home, "token")
		}
		if text, err := os.ReadFile(file); err == nil && len(text) < 4096 {
			o.Token = NewToken(string(text))
		}
	}
	o.Offline = slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(getenv("HF_HUB_OFFLINE")))
	return o, nil
}

// Repo is a model on the Hub at a revision.
type Repo struct {
	ID       string // org/name, or a name of old alone
	Revision string // a branch, a tag or a commit; main if none was named
}

func (r Repo) String() string { return r.ID + "@" + r.Revision }

var (
	idText       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$`)
	revisionText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$`)
)

// Parse reads org/name or org/name@revision.
func Parse(name string) (Repo, error) {
	id, revision, named := strings.Cut(name, "@")
	if !named {
		revision = "main"
	}
	if !idText.MatchString(id) || strings.Contains(id, "--") || strings.Contains(id, "..") {
		return Repo{}, fmt.Errorf("%q is no model of the Hub: it has to be org/name or org/name@revision", clip(name))
	}
	if !revisionText.MatchString(revision) || strings.Contains(revision, "..") || strings.Contains(revision, "//") || strings.HasSuffix(revision, "/") {
		return Repo{}, fmt.Errorf("%q is no revision: use a branch, a tag or a commit", clip(revision))
	}
	return Repo{id, revision}, nil
}

func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
