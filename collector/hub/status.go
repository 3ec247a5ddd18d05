package hub

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// target names the subject of a request in its errors.
type target struct {
	repo Repo
	file string // "": the model itself
}

func (t target) String() string {
	if t.file == "" {
		return t.repo.String()
	}
	return t.repo.String() + ": " + t.file
}

// statusError explains an answer with an error status. The Hub gives the reason
// in X-Error-Code. To users without access it answers alike for private and
// for missing models: it asks them to log in.
func (c *Client) statusError(a *answer, t target) error {
	page := c.endpoint.String() + "/" + t.repo.ID
	code := a.Header.Get("X-Error-Code")
	switch {
	case a.StatusCode == http.StatusTooManyRequests || a.StatusCode == http.StatusRequestTimeout || a.StatusCode/100 == 5:
		err := fail(ErrUnreachable, "%s: %s answered %d: try again later, or set HF_HUB_OFFLINE=1 to use the cache", t, a.url.Host, a.StatusCode)
		return transient{err, requestedWait(a.Header, time.Now())}
	case !a.ours:
		// The signed address has expired; the next request gets a new one.
		return transient{error: fail(ErrUnreachable, "%s: %s, the Hub's storage, answered %d: try again later", t, a.url.Host, a.StatusCode)}
	case code == "GatedRepo":
		if a.authed {
			return fail(ErrGated, "%s is gated, and the token's owner has no access: request it at %s", t.repo.ID, page)
		}
		return fail(ErrGated, "%s is gated: accept its terms at %s and set HF_TOKEN to a token of that account", t.repo.ID, page)
	case code == "RevisionNotFound":
		return fail(ErrNoRevision, "%s has no revision %q: see its branches and tags at %s/tree/main", t.repo.ID, t.repo.Revision, page)
	case code == "EntryNotFound":
		return fail(ErrNoFile, "%s has no file %s: see %s/tree/main", t.repo, t.file, page)
	case a.authed && a.StatusCode == http.StatusUnauthorized && (code != "RepoNotFound" || badCredentials(a)):
		return fail(ErrToken, "%s refuses the token: create a new one in your account's settings and set HF_TOKEN", c.endpoint)
	case a.authed && a.StatusCode == http.StatusForbidden:
		return fail(ErrToken, "%s: %s does not let this token read it: give the token read access, or set HF_TOKEN to another", t, c.endpoint)
	case code == "RepoNotFound", a.StatusCode == http.StatusUnauthorized, a.StatusCode == http.StatusForbidden,
		a.StatusCode == http.StatusNotFound && t.file == "":
		advice := "check the name, or set HF_TOKEN if it is private"
		if a.authed {
			advice = "check the name, or set HF_TOKEN to a token with access"
		}
		return fail(ErrNoRepo, "%s is not on %s, or is private: %s", t.repo.ID, c.endpoint, advice)
	case a.StatusCode == http.StatusNotFound:
		return fail(ErrNoFile, "%s has no file %s: see %s/tree/main", t.repo, t.file, page)
	}
	return fail(ErrBadAnswer, "%s: %s answered %d: try again later, or correct HF_ENDPOINT", t, a.url.Host, a.StatusCode)
}

// badCredentials reports whether the Hub does not know the token, for which it
// has a message but no code.
func badCredentials(a *answer) bool {
	return strings.HasPrefix(a.Header.Get("X-Error-Message"), "Invalid credentials")
}

var _ fmt.Stringer = target{}
