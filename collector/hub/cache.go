package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The cache's layout, under CacheDir:
//
//	models--ORG--NAME/blobs/DIGEST             a file's content
//	models--ORG--NAME/blobs/DIGEST.incomplete  its beginning
//	models--ORG--NAME/refs/REVISION            the commit, nothing after it
//	models--ORG--NAME/snapshots/COMMIT/FILE    a relative link to the blob
//	.locks/models--ORG--NAME/DIGEST.lock       locked by who writes the blob
func (c *Client) root(r Repo) string         { return filepath.Join(c.cacheDir, r.folder()) }
func (c *Client) blob(r Repo, f File) string { return filepath.Join(c.root(r), "blobs", f.Digest) }
func (c *Client) refPath(r Repo) string {
	return filepath.Join(c.root(r), "refs", filepath.FromSlash(r.Revision))
}
func (c *Client) snapshot(m Model) string {
	return filepath.Join(c.root(m.Repo), "snapshots", m.Commit)
}
func (c *Client) pointer(m Model, name string) string {
	return filepath.Join(c.snapshot(m), filepath.FromSlash(name))
}
func (c *Client) lockPath(r Repo, f File) string {
	return filepath.Join(c.cacheDir, ".locks", r.folder(), f.Digest+".lock")
}

const incomplete = ".incomplete"

// check refuses a Model that Find would not give, since its strings become
// paths.
func (m Model) check() error {
	if err := m.Repo.check(); err != nil {
		return err
	}
	good := commitPattern.MatchString(m.Commit)
	for _, f := range m.Files {
		good = good && validName(f.Name) && f.Size >= 0 && f.Size <= maxFileBytes &&
			(digestPattern.MatchString(f.Digest) || m.Cached && f.Digest == "")
	}
	if !good {
		return fmt.Errorf("%s: its files were not found on the Hub: ask again", m.Repo)
	}
	return nil
}

// whole says whether a file is there with its size. Content is checked before
// it comes into place and not again: that would read the model once more.
func whole(path string, f File) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Size
}

// cached is where a file of the model lies in the cache, if it is there: in
// the snapshot, or as a blob that no snapshot has yet.
func (c *Client) cached(m Model, f File) (string, bool) {
	if p := c.pointer(m, f.Name); whole(p, f) {
		return p, true
	}
	if f.Digest == "" {
		return "", false
	}
	p := c.blob(m.Repo, f)
	return p, whole(p, f)
}

// begun is how many bytes of a blob are there to go on from.
func (c *Client) begun(m Model, f File) int64 {
	info, err := os.Lstat(c.blob(m.Repo, f) + incomplete)
	if err != nil || !info.Mode().IsRegular() || info.Size() > f.Size {
		return 0
	}
	return info.Size()
}

// link puts a file into the snapshot.
func (c *Client) link(m Model, f File) error {
	path := c.pointer(m, f.Name)
	if whole(path, f) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return writeError(err)
	}
	to, err := filepath.Rel(filepath.Dir(path), c.blob(m.Repo, f))
	if err != nil {
		return fmt.Errorf("the Hub's cache: %w", err)
	}
	return c.inPlace(m.Repo, path, func(temporary string) error { return os.Symlink(to, temporary) })
}

// refer records which commit the revision is. The ref is written when all of
// the commit's files are there, so that offline the last whole one is found.
func (c *Client) refer(m Model) error {
	if m.Repo.Revision == m.Commit {
		return nil
	}
	if commit, err := c.referred(m.Repo); err == nil && commit == m.Commit {
		return nil
	}
	path := c.refPath(m.Repo)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return writeError(err)
	}
	return c.inPlace(m.Repo, path, func(temporary string) error { return os.WriteFile(temporary, []byte(m.Commit), 0o666) })
}

// referred is the commit that the cache has for a revision.
func (c *Client) referred(r Repo) (string, error) {
	if commitPattern.MatchString(r.Revision) {
		return r.Revision, nil
	}
	b, err := readWhole(c.refPath(r), 1024)
	if err != nil {
		return "", err
	}
	commit := strings.TrimSpace(string(b))
	if !commitPattern.MatchString(commit) {
		return "", fmt.Errorf("the Hub's cache: %s holds no commit: remove it", c.refPath(r))
	}
	return commit, nil
}

// inPlace makes a small file or link beside the repository's folders, where
// nobody looks, and renames it to where it belongs.
func (c *Client) inPlace(r Repo, path string, make func(temporary string) error) error {
	dir, err := os.MkdirTemp(c.root(r), ".tmp-")
	if err != nil {
		return writeError(err)
	}
	defer os.RemoveAll(dir)
	temporary := filepath.Join(dir, filepath.Base(path))
	if err := make(temporary); err != nil {
		return writeError(err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return writeError(err)
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return writeError(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return writeError(err)
	}
	return nil
}

// readWhole reads a file of the cache that may have at most limit bytes.
func readWhole(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the Hub's cache: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("the Hub's cache: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("the Hub's cache: %s has more than %d bytes: remove it", path, limit)
	}
	return b, nil
}

// findCached finds a model in the cache alone.
func (c *Client) findCached(r Repo) (Model, error) {
	commit, err := c.referred(r)
	if errors.Is(err, fs.ErrNotExist) {
		return Model{}, c.notCached(r)
	}
	if err != nil {
		return Model{}, err
	}
	m := Model{Repo: r, Commit: commit, Cached: true}
	files := map[string]File{}
	var names []string
	root := c.snapshot(m)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || !validName(name) {
			return nil // a link to nowhere: not there
		}
		f := File{Name: name, Size: info.Size()}
		if to, err := os.Readlink(path); err == nil && digestPattern.MatchString(filepath.Base(to)) {
			f.Digest = filepath.Base(to)
		}
		files[name] = f
		names = append(names, name)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return Model{}, c.notCached(r)
	}
	if err != nil {
		return Model{}, fmt.Errorf("the Hub's cache: %w", err)
	}
	has := func(name string) bool { _, ok := files[name]; return ok }
	read := func(name string) ([]byte, error) { return readWhole(c.pointer(m, name), maxIndexBytes) }
	kind, chosen, err := choose(has, names, read)
	if err != nil {
		return Model{}, fail(ErrNotCached, "%s is not whole in the cache at %s: %v: get the rest without HF_HUB_OFFLINE", r, c.cacheDir, err)
	}
	m.Weights = kind
	for _, name := range chosen {
		m.Files = append(m.Files, files[name])
	}
	return m, nil
}

func (c *Client) notCached(r Repo) error {
	return fail(ErrNotCached, "%s is not in the cache at %s: get it without HF_HUB_OFFLINE first, or set HF_HUB_CACHE to where it is", r, c.cacheDir)
}
