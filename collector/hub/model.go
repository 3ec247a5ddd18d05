package hub

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The kinds of a Model's weights.
const (
	SafeTensors = "safetensors"
	PyTorch     = "pytorch" // pickles, which may run code when torch loads them
)

// Model is the checkpoint in a repository at a commit.
type Model struct {
	Repo    Repo
	Commit  string // 40 hexadecimal digits
	Weights string // SafeTensors or PyTorch
	Files   []File // the weights last
	Cached  bool   // found in the cache, without an answer from the Hub
}

// File is a file of a repository.
type File struct {
	Name string // with slashes
	Size int64  // bytes
	// Digest is the checksum by which the Hub names the content, in hexadecimal:
	// SHA-256 for large files (LFS), git's SHA-1 of a blob for others. It is ""
	// for a file that was found in a cache without links.
	Digest string
}

// Bytes returns the total size of the files.
func (m Model) Bytes() int64 {
	var total int64
	for _, f := range m.Files {
		total += f.Size
	}
	return total
}

// Limits of the Hub's answers. The largest listings have some thousand files,
// and the Hub accepts files of up to half a terabyte.
const (
	maxListingBytes = 32 << 20
	maxFiles        = 100_000
	maxNameBytes    = 1024
	maxFileBytes    = 4 << 40
)

// listing is the answer of the Hub's API about a revision.
type listing struct {
	commit string
	gated  bool
	files  map[string]File // Size is -1 and Digest "" if the answer lacks them
}

var digestPattern = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// parseListing reads the API's answer about a model at a revision. Names, sizes
// and checksums in the result are safe to use.
func parseListing(b []byte) (listing, error) {
	var raw struct {
		SHA      string `json:"sha"`
		Gated    any    `json:"gated"` // false, or how access is granted
		Siblings []struct {
			Name   string `json:"rfilename"`
			Size   *int64 `json:"size"`
			BlobID string `json:"blobId"`
			LFS    *struct {
				SHA256 string `json:"sha256"`
				Size   *int64 `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return listing{}, fmt.Errorf("it does not describe a model: %w", err)
	}
	if !commitPattern.MatchString(raw.SHA) {
		return listing{}, fmt.Errorf("%q is not a commit", clip(raw.SHA))
	}
	if len(raw.Siblings) > maxFiles {
		return listing{}, fmt.Errorf("it lists %d files, more than %d", len(raw.Siblings), maxFiles)
	}
	l := listing{commit: raw.SHA, files: make(map[string]File, len(raw.Siblings))}
	l.gated = raw.Gated != nil && raw.Gated != false
	for _, s := range raw.Siblings {
		f := File{Name: s.Name, Size: -1, Digest: s.BlobID}
		size := s.Size
		if s.LFS != nil {
			f.Digest, size = s.LFS.SHA256, s.LFS.Size
			if len(f.Digest) != sha256Digits {
				return listing{}, fmt.Errorf("%q has a SHA-256 of %d digits", clip(s.Name), len(f.Digest))
			}
		}
		if size != nil {
			f.Size = *size
			if f.Size < 0 || f.Size > maxFileBytes {
				return listing{}, fmt.Errorf("%q has %d bytes", clip(s.Name), f.Size)
			}
		}
		if !validName(s.Name) {
			return listing{}, fmt.Errorf("%q is not a valid file name", clip(s.Name))
		}
		if f.Digest != "" && !digestPattern.MatchString(f.Digest) {
			return listing{}, fmt.Errorf("%q has the checksum %q", clip(s.Name), clip(f.Digest))
		}
		if _, twice := l.files[s.Name]; twice {
			return listing{}, fmt.Errorf("it lists %q twice", clip(s.Name))
		}
		l.files[s.Name] = f
	}
	return l, nil
}

// validName reports whether a slash-separated name stays within its folder on
// any system.
func validName(name string) bool {
	if name == "" || len(name) > maxNameBytes || !utf8.ValidString(name) || name != path.Clean(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || len(part) > 255 {
			return false
		}
	}
	return true
}

// check returns an error for a Model that Find would not return, since its
// strings become paths.
func (m Model) check() error {
	if err := m.Repo.check(); err != nil {
		return err
	}
	good := commitPattern.MatchString(m.Commit)
	for _, f := range m.Files {
		good = good && validName(f.Name) && f.Size >= 0 && f.Size <= maxFileBytes &&
			(digestPattern.MatchString(f.Digest) || m.Cached && f.Digest == "")
	}
	if !good {
		return fmt.Errorf("%s: its files do not come from the Hub: call Find", m.Repo)
	}
	return nil
}
