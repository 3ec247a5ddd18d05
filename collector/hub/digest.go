package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// sha256Digits distinguishes the checksum of a large file from git's.
const sha256Digits = 2 * sha256.Size

// digest computes a file's checksum as the Hub does: see File.Digest.
type digest struct {
	hash.Hash
	want    string
	newHash func() hash.Hash
}

func newDigest(f File) *digest {
	d := &digest{want: f.Digest, newHash: sha256.New}
	if len(f.Digest) != sha256Digits {
		d.newHash = func() hash.Hash {
			h := sha1.New()
			fmt.Fprintf(h, "blob %d\x00", f.Size) // git's header of a blob
			return h
		}
	}
	d.reset()
	return d
}

func (d *digest) reset() { d.Hash = d.newHash() }

// matches reports whether the bytes written so far are the file.
func (d *digest) matches() bool { return hex.EncodeToString(d.Sum(nil)) == d.want }
