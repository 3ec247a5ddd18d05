package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// temporary begins the name of a folder that is being written or removed. It
// lies beside the replicas, so that a rename puts it in place.
const temporary = ".tmp-"

// Prepare writes the replicas that are missing or not whole: one from the
// model, the others as copies. Each appears complete or not at all, whenever
// the program ends. Another process that prepares the same is waited for.
//
// progress is told how many bytes more are done, from several goroutines; the
// sum of a first Prepare is the plan's MissingBytes. On an error, ctx's too,
// the replicas that were done stay.
func (p Plan) Prepare(ctx context.Context, progress func(doneBytes int64)) error {
	if progress == nil {
		progress = func(int64) {}
	}
	root := p.root()
	if err := os.MkdirAll(root, 0o777); err != nil {
		return writeError(root, cause(err))
	}
	lock, err := lockFolder(ctx, root)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := removeLeftovers(root); err != nil {
		return err
	}
	model := "" // a whole replica, to copy
	var missing []string
	for _, dir := range p.Dirs {
		whole, err := p.whole(dir)
		switch {
		case err != nil:
			return err
		case !whole:
			missing = append(missing, dir)
		case model == "":
			model = dir
		}
	}
	for _, dir := range missing {
		write := func(tmp string) error { return p.make(ctx, tmp, progress) }
		if model != "" {
			write = func(tmp string) error { return copier{p.Options.ReplicaMode}.copyReplica(ctx, tmp, model, progress) }
		}
		if err := putInPlace(ctx, dir, write); err != nil {
			return err
		}
		if model == "" {
			model = dir
		}
	}
	return nil
}

// removeLeftovers removes what a killed Prepare left. Whoever holds the
// folder's lock is alone in it, so nothing temporary has an owner.
func removeLeftovers(root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), temporary) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(root, e.Name())); err != nil {
			return fmt.Errorf("remove a leftover: %w", err)
		}
	}
	return nil
}

// putInPlace lets write fill a temporary folder and renames it to dir, in
// place of what was there.
func putInPlace(ctx context.Context, dir string, write func(tmp string) error) (err error) {
	root, name := filepath.Split(dir)
	tmp := filepath.Join(root, temporary+name)
	old := filepath.Join(root, temporary+"old-"+name)
	// What is in the way is of no use, and its space may be needed.
	if err := os.Rename(dir, old); err == nil {
		err = os.RemoveAll(old)
		if err != nil {
			return fmt.Errorf("remove a replica that is not whole: %w", err)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove a replica that is not whole: %w", err)
	}
	if err := os.Mkdir(tmp, 0o777); err != nil {
		return writeError(tmp, cause(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	if err := write(tmp); err != nil {
		return err
	}
	if err := syncFolder(tmp); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write %s: %w", dir, err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("put a replica in place: %w", err)
	}
	return syncFolder(root)
}

// make writes a replica from the model.
func (p Plan) make(ctx context.Context, dir string, progress func(int64)) (err error) {
	src, err := p.Model.open(p.DType)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	sums, err := writeTensors(ctx, dir, p.layout.files, src, progress)
	if err != nil {
		return err
	}
	m := manifest{Schema: manifestSchema, Request: p.request, Tensors: p.layout.digests(src.tensors(), sums)}
	if c, ok := src.(*converted); ok {
		m.Overflows = c.overflowed()
	}
	for _, f := range p.layout.files {
		m.Files = append(m.Files, File{Name: f.name, Size: f.size})
	}
	for _, e := range p.layout.extras {
		if err := writeExtra(ctx, dir, e, progress); err != nil {
			return err
		}
		m.Files = append(m.Files, File{Name: e.name, Size: e.size})
	}
	if err := src.check(ctx); err != nil {
		return err
	}
	return m.write(dir)
}

// digests gives each tensor that the layout names its checksum.
func (l layout) digests(specs []spec, sums map[int]uint64) map[string]digest {
	digests := make(map[string]digest, len(sums)+len(l.aliases))
	for i, sum := range sums {
		digests[specs[i].name] = digest(sum)
	}
	for _, i := range l.aliases {
		digests[specs[i].name] = digest(sums[specs[i].tiedTo])
	}
	return digests
}

// writeExtra writes or copies a small file.
func writeExtra(ctx context.Context, dir string, e sidecar, progress func(int64)) error {
	path := filepath.Join(dir, e.name)
	if e.path != "" {
		return copyFile(ctx, path, e.path, e.size, progress)
	}
	if err := writeWhole(path, e.data); err != nil {
		return err
	}
	progress(e.size)
	return nil
}
