package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// manifestFile stands in every replica that sllmq made. It is written last, so
// a replica without one is not whole.
const (
	manifestFile    = "sllmq.json"
	manifestVersion = 1
	maxManifest     = 256 << 20
)

// manifest says what a replica was made from and what it holds.
type manifest struct {
	Version int               `json:"version"`
	Model   string            `json:"model"`
	Source  []string          `json:"source"` // the source's identity
	DType   string            `json:"dtype"`
	Format  Format            `json:"format"`
	Files   map[string]int64  `json:"files"`   // name to bytes, the manifest left out
	Tensors map[string]string `json:"tensors"` // name to the checksum of its bytes at the source, in hex
}

func readManifest(dir string) (manifest, error) {
	var m manifest
	text, err := readBounded(filepath.Join(dir, manifestFile), maxManifest)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("read %s: %w", filepath.Join(dir, manifestFile), err)
	}
	return m, nil
}

func (m manifest) write(dir string) error {
	text, err := jsonFile(m)
	if err != nil {
		return fmt.Errorf("write %s: %w", manifestFile, err)
	}
	return writeWhole(filepath.Join(dir, manifestFile), text)
}

// whole says whether the replica in dir is one of what m describes, files and
// contents left aside, and has every file that it was made with.
func (m manifest) whole(dir string) bool {
	have, err := readManifest(dir)
	if err != nil || have.Version != m.Version || have.Model != m.Model || have.DType != m.DType || have.Format != m.Format || !slices.Equal(have.Source, m.Source) {
		return false
	}
	for name, size := range have.Files {
		if !filepath.IsLocal(name) {
			return false
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() != size {
			return false
		}
	}
	_, err = Open(dir, m.Format)
	return err == nil
}

// Digests are the checksums that the tensors of a prepared replica had at
// their source, by name.
func Digests(dir string) (map[string]uint64, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	digests := make(map[string]uint64, len(m.Tensors))
	for name, text := range m.Tensors {
		if digests[name], err = strconv.ParseUint(text, 16, 64); err != nil {
			return nil, fmt.Errorf("%s: the checksum of tensor %q: %w", filepath.Join(dir, manifestFile), name, err)
		}
	}
	return digests, nil
}
