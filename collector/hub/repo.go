package hub

import (
	"fmt"
	"regexp"
	"strings"
)

// Repo is a model on the Hub at a revision.
type Repo struct {
	ID       string // ORG/NAME, or NAME alone for the oldest models
	Revision string // a branch, a tag or a commit
}

// String is how a person names the repository.
func (r Repo) String() string {
	if r.Revision == defaultRevision {
		return r.ID
	}
	return r.ID + "@" + r.Revision
}

const defaultRevision = "main"

var (
	// idPattern has what the Hub allows in names, and nothing that would be
	// another folder.
	idPattern       = regexp.MustCompile(`^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$`)
	revisionPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)*$`)
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

const (
	maxIDBytes       = 96 // the Hub's own limit
	maxRevisionBytes = 200
)

// Parse reads ORG/NAME, with @REVISION after it or at the branch main. It
// accepts only what may stand in an address and in a folder's name.
func Parse(name string) (Repo, error) {
	id, revision, given := strings.Cut(name, "@")
	if !given {
		revision = defaultRevision
	}
	r := Repo{ID: id, Revision: revision}
	return r, r.check()
}

// check is asked again wherever a Repo comes in, since anyone can make one.
func (r Repo) check() error {
	parts := strings.Split(r.ID, "/")
	good := len(parts) <= 2 && len(r.ID) <= maxIDBytes &&
		!strings.Contains(r.ID, "--") && !strings.Contains(r.ID, "..") && !strings.HasSuffix(r.ID, ".git")
	for _, part := range parts {
		good = good && idPattern.MatchString(part)
	}
	if !good {
		return fmt.Errorf("model name %q is not one of the Hub: name it ORG/NAME or ORG/NAME@REVISION", clip(r.ID))
	}
	if len(r.Revision) > maxRevisionBytes || !revisionPattern.MatchString(r.Revision) ||
		strings.Contains(r.Revision, "..") || strings.HasSuffix(r.Revision, ".lock") || strings.HasSuffix(r.Revision, ".") {
		return fmt.Errorf("revision %q of %s is not one: name a branch, a tag or a commit", clip(r.Revision), r.ID)
	}
	return nil
}

// folder is the repository's folder in the cache.
func (r Repo) folder() string {
	return "models--" + strings.ReplaceAll(r.ID, "/", "--")
}

// clip keeps a stranger's text short enough for one line.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
