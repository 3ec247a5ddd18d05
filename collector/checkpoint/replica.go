package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ReplicaMode is how replicas after the first come to be.
type ReplicaMode string

// Replica modes. Reflinks share their blocks on the storage, so that they take
// no room; caches below the filesystem may then answer for one what they read
// for another. The page cache keeps them apart.
const (
	ReplicaAuto    ReplicaMode = "auto"    // reflink where the filesystem can, else copy
	ReplicaCopy    ReplicaMode = "copy"    // blocks of their own
	ReplicaReflink ReplicaMode = "reflink" // or fail

	replicaMixed = "mixed" // of several replicas
)

// ParseReplicaMode reads a mode as a flag has it.
func ParseReplicaMode(s string) (ReplicaMode, error) {
	switch m := ReplicaMode(s); m {
	case ReplicaAuto, ReplicaCopy, ReplicaReflink:
		return m, nil
	}
	return "", fmt.Errorf("no --replica-mode %q: use auto, copy or reflink", s)
}

// allows says whether a replica that came to be in a way will do. The first is
// written from the model, whatever the mode.
func (m ReplicaMode) allows(how ReplicaMode) bool {
	return how == "" || m == ReplicaAuto || m == how
}

// ReplicaMode is how the plan's replicas on disk came to be: copy, reflink or
// mixed. A single replica counts as a copy.
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

// copier makes replicas of a replica.
type copier struct {
	mode ReplicaMode
}

// copyReplica copies the files of a whole replica, the manifest last.
func (c copier) copyReplica(ctx context.Context, dir, from string, progress func(int64)) error {
	m, err := readManifest(from)
	if err != nil {
		return err
	}
	m.Replica = c.mode
	if c.mode == ReplicaAuto {
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
			if c.mode == ReplicaReflink || !cannotReflink(err) {
				return err
			}
			m.Replica = ReplicaCopy // what shares no block is as good as copied
		}
		if err := copyFile(ctx, to, from, f.Size, progress); err != nil {
			return err
		}
	}
	return m.write(dir)
}

// errReflink says that a file can't share its blocks here.
var errReflink = errors.New("replicas can't be reflinks here: use --replica-mode copy, or a storage path on btrfs or XFS")

func cannotReflink(err error) bool { return errors.Is(err, errReflink) }

// reflink makes a file of another one's blocks.
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
		return fileError("copy", from, fmt.Sprintf("it is not of the %d bytes it had", size))
	}
	return finish(dst)
}
