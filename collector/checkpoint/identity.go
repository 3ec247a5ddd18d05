package checkpoint

import (
	"io/fs"
	"syscall"
)

// Identity distinguishes a file from another one at the same path, and from
// itself before a write. If two readings of a file's identity and size are
// equal, the file had the same content both times, unless it was written to
// within one tick of the filesystem's clock. A tick is a few milliseconds; from
// Linux 6.13 on, which uses fine-grained timestamps once a file's time has been
// read, there is no such gap.
//
// Only the kernel sets Changed, so it also shows a write after which the writer
// restored Modified, as cp -p and rsync -t do.
type Identity struct {
	Device, Inode     uint64
	Modified, Changed int64 // ns since 1970: mtime and ctime of stat(2)
}

func identityOf(info fs.FileInfo) Identity {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Identity{} // not a file of the operating system
	}
	return Identity{Device: uint64(s.Dev), Inode: s.Ino, Modified: s.Mtim.Nano(), Changed: s.Ctim.Nano()}
}
