package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Plan describes the replicas of a model that must be on disk, and how much of
// them is missing. It is immutable.
type Plan struct {
	Model   Model
	Format  Format
	DType   string   // of the floating-point tensors, or "mixed"
	Options Options  // with defaults filled in
	Dirs    []string // of the replicas, by number

	Tensors      int   // names in the index, including tied ones if the format has them
	Files        int   // that hold tensors
	TensorBytes  int64 // of distinct tensors
	LargestBytes int64 // of the largest tensor
	ReplicaBytes int64 // of all files of a replica, except a manifest of some KB
	MissingBytes int64 // of the replicas to write
	SpaceBytes   int64 // of storage for them: less than MissingBytes if they share blocks

	layout layout
	recipe recipe
}

// Plan works out which files the given number of replicas needs below
// storagePath, which need not exist yet, and which of them are missing. dtype
// is a DType's name or AutoDType. Plan writes nothing.
func (m Model) Plan(ctx context.Context, storagePath string, f Format, dtype string, replicas int, o Options) (Plan, error) {
	if replicas < 1 {
		return Plan{}, fmt.Errorf("%d replicas of %s: use 1 or more", replicas, m.Name)
	}
	if _, err := ParseFormat(string(f)); err != nil {
		return Plan{}, err
	}
	specs, dtypeName, err := m.specs(dtype)
	if err != nil {
		return Plan{}, err
	}
	o = o.withDefaults()
	if err := o.ReplicaMode.check(); err != nil {
		return Plan{}, err
	}
	l, err := m.layout(specs, f, dtypeName, o)
	if err != nil {
		return Plan{}, err
	}
	root, err := filepath.Abs(filepath.Join(storagePath, m.folder(), dtypeName, string(f)))
	if err != nil {
		return Plan{}, fmt.Errorf("find the storage path %s: %w", storagePath, err)
	}
	p := Plan{
		Model: m, Format: f, DType: dtypeName, Options: o,
		Tensors: len(l.aliases), Files: len(l.files), ReplicaBytes: l.bytes(),
		layout: l, recipe: m.recipe(f, dtypeName, o),
	}
	for _, file := range l.files {
		p.Tensors += len(file.tensors)
		for _, t := range file.tensors {
			p.TensorBytes += t.size
			p.LargestBytes = max(p.LargestBytes, t.size)
		}
	}
	for i := range replicas {
		dir := filepath.Join(root, strconv.Itoa(i))
		if err := ctx.Err(); err != nil {
			return Plan{}, fmt.Errorf("check %s: %w", dir, err)
		}
		p.Dirs = append(p.Dirs, dir)
		complete, err := p.complete(dir)
		if err != nil {
			return Plan{}, err
		}
		if !complete {
			p.MissingBytes += p.ReplicaBytes
		}
	}
	p.SpaceBytes = p.MissingBytes
	if o.ReplicaMode == ReplicaReflink {
		p.SpaceBytes = 0
		if p.MissingBytes == p.ReplicaBytes*int64(replicas) {
			p.SpaceBytes = p.ReplicaBytes
		}
	}
	return p, nil
}

// root returns the folder of the replicas.
func (p Plan) root() string { return filepath.Dir(p.Dirs[0]) }

// complete reports whether dir holds a replica for the plan: the manifest has
// the plan's recipe, the files have their sizes and the index is valid. A
// folder that this program did not write is an error, since it would have to be
// removed.
func (p Plan) complete(dir string) (bool, error) {
	m, err := readManifest(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, checkOwn(dir)
	}
	if errors.Is(err, unix.ENOTDIR) {
		return false, fileError("prepare", dir, "it is a file: choose another storage path")
	}
	if errors.Is(err, ErrCorrupt) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !m.Recipe.equal(p.recipe) || !p.Options.ReplicaMode.allows(m.Replica) || !m.filesThere(dir) {
		return false, nil
	}
	c, err := Open(dir, p.Format)
	return err == nil && len(c.Tensors) == len(m.Tensors), nil
}

// checkOwn returns an error if a folder without a manifest has files in it.
func checkOwn(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("check a replica: %w", err)
	case len(entries) > 0:
		return fileError("prepare", dir, "it exists, but sllmq did not write it: move it away or choose another storage path")
	}
	return nil
}
