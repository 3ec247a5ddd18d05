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

// Plan says what replicas of a model have to be on disk, and what of that is
// missing. It is not changed once made.
type Plan struct {
	Model   Model
	Format  Format
	DType   string   // what the tensors are, or "mixed"
	Options Options  // with the defaults filled in
	Dirs    []string // of the replicas, by their number

	Tensors      int   // that the checkpoint names, tied ones included if it can
	Files        int   // that hold tensors
	TensorBytes  int64 // of distinct tensors
	LargestBytes int64 // of one tensor
	ReplicaBytes int64 // all files of one replica, but for a manifest of some KB
	MissingBytes int64 // still to be written
	SpaceBytes   int64 // of storage that they will take, less than MissingBytes where blocks are shared

	layout  layout
	request request
}

// Plan works out which files the given number of replicas needs below
// storagePath, which need not exist yet, and which of them are missing. dtype
// is a DType's name or AutoDType. Plan writes nothing.
func (m Model) Plan(ctx context.Context, storagePath string, f Format, dtype string, replicas int, o Options) (Plan, error) {
	if replicas < 1 {
		return Plan{}, fmt.Errorf("%d replicas of %s: ask for 1 or more", replicas, m.Name)
	}
	if _, err := ParseFormat(string(f)); err != nil {
		return Plan{}, err
	}
	specs, dtypeName, err := m.specs(dtype)
	if err != nil {
		return Plan{}, err
	}
	o = o.filled()
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
		layout: l, request: m.request(f, dtypeName, o),
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
		whole, err := p.whole(dir)
		if err != nil {
			return Plan{}, err
		}
		if !whole {
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

// root is the folder that the replicas lie in.
func (p Plan) root() string { return filepath.Dir(p.Dirs[0]) }

// whole says whether the replica in dir is what the plan asks for: its
// manifest says so, its files have their sizes and its index holds. A folder
// that was not written by this program is an error, since it would have to be
// removed.
func (p Plan) whole(dir string) (bool, error) {
	m, err := readManifest(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, p.ours(dir)
	}
	if errors.Is(err, unix.ENOTDIR) {
		return false, fileError("prepare", dir, "a file is in the way: choose another storage path")
	}
	if errors.Is(err, ErrCorrupt) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !m.Request.equal(p.request) || !p.Options.ReplicaMode.allows(m.Replica) || !m.filesThere(dir) {
		return false, nil
	}
	c, err := Open(dir, p.Format)
	return err == nil && len(c.Tensors) == len(m.Tensors), nil
}

// ours refuses a folder with something in it that has no manifest.
func (p Plan) ours(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at a replica: %w", err)
	case len(entries) > 0:
		return fileError("prepare", dir, "it is there, but sllmq did not write it: move it away or choose another storage path")
	}
	return nil
}
