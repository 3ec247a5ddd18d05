package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Options are the limits of files, for tests mostly; zero is the format's own.
type Options struct {
	PartitionBytes int64 // SLLM
	ShardBytes     int64 // safetensors
}

// Plan is what preparing a model's replicas will do. It is not changed once
// made.
type Plan struct {
	Model        Model
	Format       Format
	DType        string
	Dirs         []string // of the replicas, by number
	ReplicaBytes int64    // of one replica's files of tensors
	MissingBytes int64    // that are still to be written, for all replicas
	Tensors      int
	layout       layout
	manifest     manifest // files and contents left out
	missing      []int    // replicas that are not there, or not whole
}

// Plan looks at the model and at what is already under storage, and writes
// nothing.
func (m Model) Plan(storage string, f Format, dtype string, replicas int, o Options) (Plan, error) {
	src, err := m.open()
	if err != nil {
		return Plan{}, err
	}
	p, err := m.plan(src, storage, f, dtype, replicas, o)
	return p, errors.Join(err, src.close())
}

func (m Model) plan(src source, storage string, f Format, dtype string, replicas int, o Options) (Plan, error) {
	items, err := src.tensors(dtype)
	if err != nil {
		return Plan{}, err
	}
	if len(items) == 0 {
		return Plan{}, fmt.Errorf("model %s has no tensors", m.Name)
	}
	p := Plan{
		Model:    m,
		Format:   f,
		DType:    dtype,
		manifest: manifest{Version: manifestVersion, Model: m.Name, Source: src.identity(), DType: dtype, Format: f},
	}
	if p.layout, err = newLayout(f, items, o); err != nil {
		return Plan{}, fmt.Errorf("lay %s out as %s: %w", m.Name, f, err)
	}
	p.Tensors = len(p.layout.held)
	p.ReplicaBytes = p.layout.bytes()
	for i := range replicas {
		dir := filepath.Join(storage, m.folder, dtype, string(f), strconv.Itoa(i))
		p.Dirs = append(p.Dirs, dir)
		if !p.manifest.whole(dir) {
			p.missing = append(p.missing, i)
			p.MissingBytes += p.ReplicaBytes
		}
	}
	return p, nil
}

// FileSizes are the bytes of each file of tensors of a replica.
func (p Plan) FileSizes() []int64 {
	var sizes []int64
	for _, f := range p.layout.files {
		sizes = append(sizes, f.size)
	}
	return sizes
}

const (
	lockFile   = ".lock"
	tempPrefix = ".tmp-"
)

// Prepare writes the replicas that are missing: the first from the source, the
// others from a replica that is whole. Each comes into place by rename, so that
// one that is there is whole; what a killed process left is cleaned up. Several
// processes may prepare the same replicas: one does, the others wait. progress
// is told how many bytes more are written.
func (p Plan) Prepare(ctx context.Context, progress func(bytes int64)) error {
	if err := p.prepare(ctx, progress); err != nil {
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			err = fmt.Errorf("%w: free some space, or use fewer replicas or another --storage-path", err)
		}
		return fmt.Errorf("prepare %s as %s: %w", p.Model.Name, p.Format, err)
	}
	return nil
}

func (p Plan) prepare(ctx context.Context, progress func(int64)) (err error) {
	if len(p.missing) == 0 {
		return nil
	}
	home := filepath.Dir(p.Dirs[0])
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	unlock, err := lock(ctx, filepath.Join(home, lockFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := removeLeftovers(home); err != nil {
		return err
	}
	for _, i := range p.missing {
		// Another process may have been faster.
		if p.manifest.whole(p.Dirs[i]) {
			progress(p.ReplicaBytes)
			continue
		}
		if err := p.replica(ctx, i, progress); err != nil {
			return err
		}
	}
	return nil
}

// replica makes replica i in a temporary folder and renames it into place.
func (p Plan) replica(ctx context.Context, i int, progress func(int64)) (err error) {
	dir := p.Dirs[i]
	if err := removable(dir); err != nil {
		return err
	}
	temp := filepath.Join(filepath.Dir(dir), tempPrefix+filepath.Base(dir))
	if err := os.Mkdir(temp, 0o755); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	if whole, ok := p.wholeReplica(); ok {
		err = p.copyFrom(ctx, whole, temp, progress)
	} else {
		err = p.writeFromSource(ctx, temp, progress)
	}
	if err != nil {
		return err
	}
	if err := syncDir(temp); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(temp, dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// removable refuses to replace a folder that sllmq did not make.
func removable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, manifestFile)); err != nil {
		return fmt.Errorf("%s is in the way and has no %s, so sllmq did not make it: move it away", dir, manifestFile)
	}
	return nil
}

func (p Plan) wholeReplica() (string, bool) {
	for _, dir := range p.Dirs {
		if p.manifest.whole(dir) {
			return dir, true
		}
	}
	return "", false
}

func (p Plan) copyFrom(ctx context.Context, from, temp string, progress func(int64)) error {
	m, err := readManifest(from)
	if err != nil {
		return err
	}
	if err := copyReplica(ctx, from, temp, slices.Sorted(maps.Keys(m.Files)), progress); err != nil {
		return err
	}
	return m.write(temp)
}

func (p Plan) writeFromSource(ctx context.Context, temp string, progress func(int64)) (err error) {
	src, err := p.Model.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	items, err := src.tensors(p.DType)
	if err != nil {
		return err
	}
	extras, err := src.extras()
	if err != nil {
		return err
	}
	l := p.layout.withExtras(extras)
	digests, err := l.write(ctx, temp, src, progress)
	if err != nil {
		return err
	}
	if !slices.Equal(src.identity(), p.manifest.Source) {
		return errors.New("the source changed while it was read: try again")
	}
	m := p.manifest
	m.Files, m.Tensors = map[string]int64{}, map[string]string{}
	for _, it := range items {
		if it.tiedTo != "" {
			digests[it.Name] = digests[it.tiedTo]
		}
	}
	for _, name := range l.held {
		m.Tensors[name] = fmt.Sprintf("%016x", digests[name])
	}
	for _, f := range l.files {
		m.Files[f.name] = f.size
	}
	for name, text := range l.small {
		m.Files[name] = int64(len(text))
	}
	return m.write(temp)
}

// removeLeftovers removes what processes that died left; whoever lives holds
// the lock.
func removeLeftovers(home string) error {
	entries, err := os.ReadDir(home)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := os.RemoveAll(filepath.Join(home, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// lock takes the lock file for itself, waiting for whoever has it. The kernel
// lets go of it when its holder dies.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, closeWith(f, fmt.Errorf("lock %s: %w", path, err))
		}
		select {
		case <-ctx.Done():
			return nil, closeWith(f, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// syncDir puts a folder's entries on the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return closeWith(d, err)
	}
	return d.Close()
}
