package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// sha256Digits tells a large file's checksum from git's.
const sha256Digits = 2 * sha256.Size

// digest adds a file up as the Hub does.
type digest struct {
	hash.Hash
	want string
	new  func() hash.Hash
}

func newDigest(f File) *digest {
	d := &digest{want: f.Digest, new: sha256.New}
	if len(f.Digest) != sha256Digits {
		d.new = func() hash.Hash {
			h := sha1.New()
			fmt.Fprintf(h, "blob %d\x00", f.Size) // what git puts before the content
			return h
		}
	}
	d.reset()
	return d
}

func (d *digest) reset() { d.Hash = d.new() }

// right says whether all that was written is the file.
func (d *digest) right() bool { return hex.EncodeToString(d.Sum(nil)) == d.want }

// fits says whether b is the file.
func (d *digest) fits(b []byte) bool {
	d.reset()
	d.Write(b)
	return d.right()
}
