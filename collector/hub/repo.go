package hub

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sllmq/sllmq/internal/text"
)

// Repo is a model on the Hub at a revision.
type Repo struct {
	ID       string // ORG/NAME, or NAME alone for the oldest models
	Revision string // a branch, a tag or a commit
}

// String returns the name in the form that Parse accepts.
func (r Repo) String() string {
	if r.Revision == defaultRevision {
		return r.ID
	}
	return r.ID + "@" + r.Revision
}

const defaultRevision = "main"

var (
	// idPattern allows what the Hub allows in names, and nothing that could
	// lead to another folder.
	idPattern       = regexp.MustCompile(`^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$`)
	revisionPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)*$`)
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

const (
	maxIDBytes       = 96 // the Hub's own limit
	maxRevisionBytes = 200
)

// Parse reads ORG/NAME or ORG/NAME@REVISION; the default revision is the branch
// main. It accepts only names that are safe in an address and in a path.
func Parse(name string) (Repo, error) {
	id, revision, given := strings.Cut(name, "@")
	if !given {
		revision = defaultRevision
	}
	r := Repo{ID: id, Revision: revision}
	return r, r.check()
}

// check returns an error for a Repo that Parse would not return. All functions
// that take a Repo call it.
func (r Repo) check() error {
	parts := strings.Split(r.ID, "/")
	good := len(parts) <= 2 && len(r.ID) <= maxIDBytes &&
		!strings.Contains(r.ID, "--") && !strings.Contains(r.ID, "..") && !strings.HasSuffix(r.ID, ".git")
	for _, part := range parts {
		good = good && idPattern.MatchString(part)
	}
	if !good {
		return fmt.Errorf("%q is not a valid model name: use ORG/NAME or ORG/NAME@REVISION", clip(r.ID))
	}
	if len(r.Revision) > maxRevisionBytes || !revisionPattern.MatchString(r.Revision) ||
		strings.Contains(r.Revision, "..") || strings.HasSuffix(r.Revision, ".lock") || strings.HasSuffix(r.Revision, ".") {
		return fmt.Errorf("%q is not a valid revision of %s: use a branch, a tag or a commit", clip(r.Revision), r.ID)
	}
	return nil
}

// folder returns the name of the repository's folder in the cache.
func (r Repo) folder() string {
	return "models--" + strings.ReplaceAll(r.ID, "/", "--")
}

// clip shortens text from users and servers for an error message.
func clip(s string) string { return text.Clip(s, 80) }
