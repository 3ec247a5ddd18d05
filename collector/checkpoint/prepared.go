package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Prepared describes the replicas of one model, type and format below a storage
// path.
type Prepared struct {
	Model  string
	Source string
	DType  string
	Format Format
	Dirs   []string // of the replicas that have a manifest, by number
	Bytes  int64    // of all their files, without manifests
}

// List finds the prepared checkpoints below a storage path, in the order of
// their folders. It ignores folders without a manifest: sllmq did not write
// them.
func List(ctx context.Context, storagePath string) ([]Prepared, error) {
	if _, err := os.Stat(storagePath); err != nil {
		return nil, fmt.Errorf("list the prepared checkpoints: %w", err)
	}
	// SOURCE/MODEL/DTYPE/FORMAT/REPLICA: see Model.folder.
	found, err := filepath.Glob(filepath.Join(escapeGlob(storagePath), "*", "*", "*", "*", "*", manifestName))
	if err != nil {
		return nil, fmt.Errorf("list the prepared checkpoints: %w", err)
	}
	byRoot := map[string]*Prepared{}
	var roots []string
	for _, path := range found {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("list the prepared checkpoints: %w", err)
		}
		dir := filepath.Dir(path)
		root, number := filepath.Split(dir)
		if _, err := strconv.Atoi(number); err != nil {
			continue // being written or removed
		}
		m, err := readManifest(dir)
		if err != nil {
			continue // the next Prepare writes it anew
		}
		p, ok := byRoot[root]
		if !ok {
			p = &Prepared{Model: m.Recipe.Model, Source: m.Recipe.Source, DType: m.Recipe.DType, Format: m.Recipe.Format}
			byRoot[root] = p
			roots = append(roots, root)
		}
		p.Dirs = append(p.Dirs, dir)
		for _, f := range m.Files {
			p.Bytes += f.Size
		}
	}
	var all []Prepared
	for _, root := range roots {
		p := byRoot[root]
		slices.SortFunc(p.Dirs, func(a, b string) int {
			x, _ := strconv.Atoi(filepath.Base(a))
			y, _ := strconv.Atoi(filepath.Base(b))
			return x - y
		})
		all = append(all, *p)
	}
	return all, nil
}

// escapeGlob quotes the characters of a path that are special in a pattern.
func escapeGlob(path string) string {
	var b []byte
	for i := range len(path) {
		if slices.Contains([]byte(`*?[\`), path[i]) {
			b = append(b, '\\')
		}
		b = append(b, path[i])
	}
	return string(b)
}

// Remove removes the replicas. It waits for processes that write to the same
// folder. Each replica is renamed before it is removed, so that no process sees
// a part of one.
func (p Prepared) Remove(ctx context.Context) error {
	if len(p.Dirs) == 0 {
		return nil
	}
	root := filepath.Dir(p.Dirs[0])
	lock, err := lockFolder(ctx, root)
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, dir := range p.Dirs {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("remove %s: %w", dir, err)
		}
		gone := filepath.Join(root, temporary+"old-"+filepath.Base(dir))
		if err := os.Rename(dir, gone); errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return fmt.Errorf("remove %s: %w", dir, err)
		}
		if err := os.RemoveAll(gone); err != nil {
			return fmt.Errorf("remove %s: %w", dir, err)
		}
	}
	return nil
}
