package hub

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzListing tries any answer of the API. Accepted listings must be safe to use
// in paths and in arithmetic.
func FuzzListing(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(`{"sha": %q, "gated": "auto", "siblings": [{"rfilename": "a/b.safetensors", "size": 9, "blobId": %q, "lfs": {"sha256": %q, "size": 9, "pointerSize": 134}}]}`,
		testCommit, strings.Repeat("b", 40), strings.Repeat("a", 64))))
	f.Add([]byte(fmt.Sprintf(`{"sha": %q, "siblings": [{"rfilename": "../x"}, {"rfilename": "x", "size": -1}]}`, testCommit)))
	f.Add([]byte(`{"sha": null, "siblings": null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseListing(b)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error has several lines: %q", err)
			}
			return
		}
		if !commitPattern.MatchString(l.commit) {
			t.Errorf("commit %q", l.commit)
		}
		for name, file := range l.files {
			if name != file.Name || !filepath.IsLocal(name) || strings.ContainsAny(name, "\\\x00\n") {
				t.Errorf("name %q", name)
			}
			if file.Size < -1 || file.Size > maxFileBytes {
				t.Errorf("size %d", file.Size)
			}
			if file.Digest != "" && !digestPattern.MatchString(file.Digest) {
				t.Errorf("digest %q", file.Digest)
			}
		}
	})
}
