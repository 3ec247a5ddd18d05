package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Snapshot is a model in the cache.
type Snapshot struct {
	Repo   Repo
	Commit string
	Dir    string // holds the files, as links into the cache
}

// folder is where the cache keeps a model.
func (c *client) folder(repo Repo) string {
	return filepath.Join(c.o.CacheDir, "models--"+strings.ReplaceAll(repo.ID, "/", "--"))
}

// cached finds a model that was fetched before.
func (c *client) cached(repo Repo) (Snapshot, bool) {
	commit := repo.Revision
	if !commitText.MatchString(commit) {
		text, err := os.ReadFile(filepath.Join(c.folder(repo), "refs", filepath.FromSlash(repo.Revision)))
		if commit = strings.TrimSpace(string(text)); err != nil || !commitText.MatchString(commit) {
			return Snapshot{}, false
		}
	}
	dir := filepath.Join(c.folder(repo), "snapshots", commit)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Snapshot{}, false
	}
	// A fetch that was broken off leaves links to what it had.
	weights := slices.ContainsFunc(entries, func(e os.DirEntry) bool { return isWeights(e.Name()) })
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(dir, e.Name())); err != nil {
			return Snapshot{}, false
		}
	}
	return Snapshot{Repo: repo, Commit: commit, Dir: dir}, weights
}

// point puts the names of the files in place, once all of their bytes are
// there, and then the revision's.
func (c *client) point(l Listing) (Snapshot, error) {
	root := c.folder(l.Repo)
	s := Snapshot{Repo: l.Repo, Commit: l.Commit, Dir: filepath.Join(root, "snapshots", l.Commit)}
	if err := os.MkdirAll(s.Dir, 0o777); err != nil {
		return Snapshot{}, fmt.Errorf("keep %s: %w", l.Repo, err)
	}
	for _, f := range l.Files {
		if err := replaceLink(filepath.Join("..", "..", "blobs", f.Blob), filepath.Join(s.Dir, f.Name)); err != nil {
			return Snapshot{}, fmt.Errorf("keep %s: %w", l.Repo, err)
		}
	}
	if l.Repo.Revision == l.Commit {
		return s, nil
	}
	ref := filepath.Join(root, "refs", filepath.FromSlash(l.Repo.Revision))
	if err := os.MkdirAll(filepath.Dir(ref), 0o777); err != nil {
		return Snapshot{}, fmt.Errorf("keep %s: %w", l.Repo, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(ref), ".ref-*")
	if err != nil {
		return Snapshot{}, fmt.Errorf("keep %s: %w", l.Repo, err)
	}
	_, err = temp.WriteString(l.Commit)
	if err = errors.Join(err, temp.Chmod(0o644), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), ref)
	}
	if err != nil {
		return Snapshot{}, errors.Join(fmt.Errorf("keep %s: %w", l.Repo, err), os.Remove(temp.Name()))
	}
	return s, nil
}

// replaceLink makes a link, in place of one that points elsewhere.
func replaceLink(target, name string) error {
	if old, err := os.Readlink(name); err == nil && old == target {
		return nil
	}
	// In a folder of its own, since no two may have a name.
	dir, err := os.MkdirTemp(filepath.Dir(name), ".link-*")
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, "link")
	if err = os.Symlink(target, temp); err == nil {
		err = os.Rename(temp, name)
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// lock waits until no other process fetches the blob; it is the lock that
// huggingface_hub takes.
func (c *client) lock(ctx context.Context, repo Repo, blob string) (*os.File, error) {
	path := filepath.Join(c.o.CacheDir, ".locks", filepath.Base(c.folder(repo)), blob+".lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, fmt.Errorf("lock %s: %w", repo, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", repo, err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", repo, err), f.Close())
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
}

// freeBytes is the room for this user on the filesystem of dir, or of the
// folder above it that is there.
func freeBytes(dir string) (int64, error) {
	for {
		var s unix.Statfs_t
		err := unix.Statfs(dir, &s)
		if err == nil {
			return int64(s.Bavail) * s.Bsize, nil
		}
		up := filepath.Dir(dir)
		if !errors.Is(err, unix.ENOENT) || up == dir {
			return 0, fmt.Errorf("look for room in %s: %w", dir, err)
		}
		dir = up
	}
}
