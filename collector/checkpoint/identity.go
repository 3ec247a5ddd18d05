package checkpoint

import (
	"io/fs"
	"syscall"
)

// Identity tells a file from another in its place, and from itself before it
// was written to. Two looks that give the same one and the same size saw the same
// bytes, but for what happened within one tick of the filesystem's clock: none
// from Linux 6.13 on, whose timestamps are as fine as they are looked at, and a
// few milliseconds before.
//
// Changed is set by the kernel alone: who puts Modified back after writing, as
// cp -p and rsync -t do, does not deceive it.
type Identity struct {
	Device, Inode     uint64
	Modified, Changed int64 // ns since 1970: mtime and ctime of stat(2)
}

func identityOf(info fs.FileInfo) Identity {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Identity{} // a made-up filesystem, whose files have none
	}
	return Identity{Device: uint64(s.Dev), Inode: s.Ino, Modified: s.Mtim.Nano(), Changed: s.Ctim.Nano()}
}
