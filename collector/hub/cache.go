package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sllmq/sllmq/internal/atomicfile"
)

// The paths of the cache, whose layout the package comment describes.

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

// complete reports whether a file exists with its size. Its checksum was
// verified before it was renamed to path; to do so again would read the whole
// model.
func complete(path string, f File) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Size
}

// cached returns the path of a model's file in the cache, and whether it is
// there: in the snapshot, or as a blob that is not in a snapshot yet.
func (c *Client) cached(m Model, f File) (string, bool) {
	if p := c.pointer(m, f.Name); complete(p, f) {
		return p, true
	}
	if f.Digest == "" {
		return "", false
	}
	p := c.blob(m.Repo, f)
	return p, complete(p, f)
}

// begun returns how many bytes of a blob an interrupted download left.
func (c *Client) begun(m Model, f File) int64 {
	info, err := os.Lstat(c.blob(m.Repo, f) + incomplete)
	if err != nil || !info.Mode().IsRegular() || info.Size() > f.Size {
		return 0
	}
	return info.Size()
}

// link adds a file to the snapshot.
func (c *Client) link(m Model, f File) error {
	path := c.pointer(m, f.Name)
	if complete(path, f) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return writeError(err)
	}
	to, err := filepath.Rel(filepath.Dir(path), c.blob(m.Repo, f))
	if err != nil {
		return fmt.Errorf("the Hub's cache: %w", err)
	}
	return c.create(m.Repo, path, func(temporary string) error { return os.Symlink(to, temporary) })
}

// writeRef records the commit of the revision. It is called when all files of
// the commit are there, so that a search offline finds the last complete one.
func (c *Client) writeRef(m Model) error {
	if m.Repo.Revision == m.Commit {
		return nil
	}
	if commit, err := c.readRef(m.Repo); err == nil && commit == m.Commit {
		return nil
	}
	path := c.refPath(m.Repo)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return writeError(err)
	}
	return c.create(m.Repo, path, func(temporary string) error { return os.WriteFile(temporary, []byte(m.Commit), 0o666) })
}

// readRef returns the commit that the cache has for a revision.
func (c *Client) readRef(r Repo) (string, error) {
	if commitPattern.MatchString(r.Revision) {
		return r.Revision, nil
	}
	b, err := readWhole(c.refPath(r), 1024)
	if err != nil {
		return "", err
	}
	commit := strings.TrimSpace(string(b))
	if !commitPattern.MatchString(commit) {
		return "", fmt.Errorf("the Hub's cache: %s does not hold a commit: remove it", c.refPath(r))
	}
	return commit, nil
}

// create lets write create a small file or link in a temporary folder, and
// renames it to path.
func (c *Client) create(r Repo, path string, write func(temporary string) error) error {
	dir, err := os.MkdirTemp(c.root(r), ".tmp-")
	if err != nil {
		return writeError(err)
	}
	defer os.RemoveAll(dir)
	temporary := filepath.Join(dir, filepath.Base(path))
	if err := write(temporary); err != nil {
		return writeError(err)
	}
	return putInPlace(temporary, path)
}

// putInPlace renames a synced file to its path.
func putInPlace(temporary, path string) error {
	if err := atomicfile.Rename(temporary, path); err != nil {
		return writeError(err)
	}
	return nil
}

// readWhole reads a file of the cache that has at most limit bytes.
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

// findCached finds a model in the cache, without the Hub.
func (c *Client) findCached(r Repo) (Model, error) {
	commit, err := c.readRef(r)
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
			return nil // such as a dangling link
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
		return Model{}, fail(ErrNotCached, "%s is incomplete in the cache at %s: %v: download the rest without HF_HUB_OFFLINE", r, c.cacheDir, err)
	}
	m.Weights = kind
	for _, name := range chosen {
		m.Files = append(m.Files, files[name])
	}
	return m, nil
}

func (c *Client) notCached(r Repo) error {
	return fail(ErrNotCached, "%s is not in the cache at %s: download it without HF_HUB_OFFLINE first, or correct HF_HUB_CACHE", r, c.cacheDir)
}
