package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ReplicaMode is how replicas after the first are made.
type ReplicaMode string

// Replica modes. Reflinks share their blocks on storage, so they take no space.
// Caches below the filesystem may then serve one replica's reads with blocks
// read for another; the page cache keeps replicas apart.
const (
	ReplicaAuto    ReplicaMode = "auto"    // reflink if the filesystem can, else copy
	ReplicaCopy    ReplicaMode = "copy"    // separate blocks
	ReplicaReflink ReplicaMode = "reflink" // or fail

	replicaMixed = "mixed" // some replicas are copies, some reflinks
)

// check returns an error for an unknown mode.
func (m ReplicaMode) check() error {
	switch m {
	case ReplicaAuto, ReplicaCopy, ReplicaReflink:
		return nil
	}
	return fmt.Errorf("unknown replica mode %q: use auto, copy or reflink", string(m))
}

// allows reports whether a replica that was made in the given mode is
// acceptable. The first replica has no mode: it is written from the model.
func (m ReplicaMode) allows(how ReplicaMode) bool {
	return how == "" || m == ReplicaAuto || m == how
}

// ReplicaMode returns how the plan's replicas on disk were made: copy, reflink
// or mixed. A single replica counts as a copy.
func (p Plan) ReplicaMode() (string, error) {
	mode := ReplicaMode("")
	for _, dir := range p.Dirs {
		m, err := readManifest(dir)
		switch {
		case err != nil:
			return "", err
		case m.Replica == "":
		case mode == "":
			mode = m.Replica
		case mode != m.Replica:
			return replicaMixed, nil
		}
	}
	if mode == "" {
		mode = ReplicaCopy
	}
	return string(mode), nil
}

// copyReplica copies the files of a complete replica, the manifest last.
func (mode ReplicaMode) copyReplica(ctx context.Context, dir, from string, progress func(int64)) error {
	m, err := readManifest(from)
	if err != nil {
		return err
	}
	m.Replica = mode
	if mode == ReplicaAuto {
		m.Replica = ReplicaReflink
	}
	for _, f := range m.Files {
		to, from := filepath.Join(dir, f.Name), filepath.Join(from, f.Name)
		if m.Replica == ReplicaReflink {
			err := reflink(to, from, f.Size)
			if err == nil {
				progress(f.Size)
				continue
			}
			if mode == ReplicaReflink || !errors.Is(err, errReflink) {
				return err
			}
			m.Replica = ReplicaCopy
		}
		if err := copyFile(ctx, to, from, f.Size, progress); err != nil {
			return err
		}
	}
	return m.write(dir)
}

// errReflink reports a filesystem that cannot share blocks between files.
var errReflink = errors.New("this filesystem has no reflinks: use replica mode copy, or a storage path on btrfs or XFS")

// reflink creates a file that shares the blocks of another one.
func reflink(to, from string, size int64) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("reflink: %w", err)
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return writeError(to, cause(err))
	}
	err = unix.IoctlFileClone(int(dst.Fd()), int(src.Fd()))
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOTTY), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EXDEV), errors.Is(err, unix.EINVAL):
		return errors.Join(fmt.Errorf("reflink %s: %w", to, errReflink), dst.Close(), os.Remove(to))
	case err != nil:
		return errors.Join(writeError(to, err), dst.Close())
	}
	if info, err := dst.Stat(); err != nil || info.Size() != size {
		dst.Close()
		return fileError("copy", from, fmt.Sprintf("its size changed from %d bytes", size))
	}
	return finish(dst)
}
