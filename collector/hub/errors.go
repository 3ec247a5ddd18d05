package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Sentinels that callers tell apart.
var (
	ErrNotFound    = errors.New("not found on the Hub")
	ErrGated       = errors.New("access is gated")
	ErrWrongToken  = errors.New("the Hub does not know this token")
	ErrNotCached   = errors.New("not in the cache")
	ErrWrongBytes  = errors.New("the bytes are not those that the Hub promised")
	ErrNoRoom      = errors.New("no room")
	errUnreachable = errors.New("the Hub cannot be reached")
)

// refusal makes an error of an answer that is not what was asked for.
func (c *client) refusal(r *http.Response, repo Repo, what string) error {
	code, message := r.Header.Get("X-Error-Code"), clip(r.Header.Get("X-Error-Message"))
	token := "no token was given"
	if c.o.Token.secret != "" {
		token = "with this token"
	}
	switch {
	case code == "GatedRepo":
		return fmt.Errorf("%w to %s (%s): ask for it at %s/%s, then set HF_TOKEN", ErrGated, repo.ID, token, c.o.Endpoint, repo.ID)
	case code == "RevisionNotFound":
		return fmt.Errorf("%w: %s has no revision %s", ErrNotFound, repo.ID, repo.Revision)
	case code == "EntryNotFound":
		return fmt.Errorf("%w: %s has no file %s", ErrNotFound, repo, what)
	case r.StatusCode == http.StatusUnauthorized && c.o.Token.secret != "" && strings.Contains(strings.ToLower(message), "credentials"):
		return fmt.Errorf("%w: make one at %s/settings/tokens and set HF_TOKEN", ErrWrongToken, c.o.Endpoint)
	case code == "RepoNotFound", r.StatusCode == http.StatusUnauthorized, r.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%w: %s (%s): check the name; a private model needs HF_TOKEN", ErrNotFound, repo.ID, token)
	case r.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w to %s (%s): ask for it at %s/%s, or use a token that may read it", ErrGated, repo.ID, token, c.o.Endpoint, repo.ID)
	}
	return fmt.Errorf("fetch %s of %s: the Hub answers %s", what, repo, r.Status)
}

// withoutURL takes the address out of an error of net/http: the query of a
// redirect is a key to the file.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
