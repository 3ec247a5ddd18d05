package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sllmq/sllmq/internal/atomicfile"
)

// temporary is the prefix of folders that are being written or removed. They
// lie beside the replicas, so that a rename can put them in place.
const temporary = ".tmp-"

// Prepare writes the replicas that are missing or incomplete: the first from
// the model, the others as copies. Each appears complete or not at all, even if
// the process dies. Prepare waits for other processes that write to the same
// folder.
//
// Several goroutines call progress, each with the number of bytes done since
// its last call; they add up to the plan's MissingBytes. If Prepare fails or ctx
// ends, the replicas that are complete remain.
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
	original := "" // a complete replica, to copy
	var missing []string
	for _, dir := range p.Dirs {
		complete, err := p.complete(dir)
		switch {
		case err != nil:
			return err
		case !complete:
			missing = append(missing, dir)
		case original == "":
			original = dir
		}
	}
	for _, dir := range missing {
		write := func(tmp string) error { return p.writeReplica(ctx, tmp, progress) }
		if original != "" {
			write = func(tmp string) error { return p.Options.ReplicaMode.copyReplica(ctx, tmp, original, progress) }
		}
		if err := putInPlace(ctx, dir, write); err != nil {
			return err
		}
		if original == "" {
			original = dir
		}
	}
	return nil
}

// removeLeftovers removes the temporary folders of killed processes. The caller
// holds the folder's lock, so no live process owns one.
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

// putInPlace lets write fill a temporary folder and renames it to dir,
// replacing what was there.
func putInPlace(ctx context.Context, dir string, write func(tmp string) error) (err error) {
	root, name := filepath.Split(dir)
	tmp := filepath.Join(root, temporary+name)
	old := filepath.Join(root, temporary+"old-"+name)
	// Remove the old replica first: it is useless, and its space may be needed.
	err = os.Rename(dir, old)
	if err == nil {
		err = os.RemoveAll(old)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove an incomplete replica: %w", err)
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
	if err := atomicfile.Sync(tmp); err != nil {
		return writeError(tmp, cause(err))
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write %s: %w", dir, err)
	}
	if err := atomicfile.Rename(tmp, dir); err != nil {
		return fmt.Errorf("put a replica in place: %w", err)
	}
	return nil
}

// writeReplica writes a replica from the model.
func (p Plan) writeReplica(ctx context.Context, dir string, progress func(int64)) (err error) {
	src, err := p.Model.open(p.DType)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	sums, err := writeTensors(ctx, dir, p.layout.files, src, progress)
	if err != nil {
		return err
	}
	m := manifest{Schema: manifestSchema, Recipe: p.recipe, Tensors: p.layout.digests(src.tensors(), sums)}
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

// digests returns the checksums by name, including those of tied names.
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

// writeExtra writes or copies a sidecar.
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
