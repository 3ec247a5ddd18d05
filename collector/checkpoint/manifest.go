package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
)

// manifestName is the file that describes a replica. It is written last, before
// the replica is renamed into place.
const manifestName = "sllmq.json"

// manifestSchema is the version of manifest. A replica with another version is
// written anew.
const manifestSchema = 2

// manifest is the content of sllmq.json.
type manifest struct {
	Schema int    `json:"schema"`
	Recipe recipe `json:"request"`
	Files  []File `json:"files"` // without the manifest
	// Replica is how the replica was copied from another one. It is empty if the
	// replica was written from the model.
	Replica ReplicaMode `json:"replica,omitempty"`
	// Tensors are the checksums of the source's tensors, taken before writing.
	Tensors map[string]digest `json:"tensors"`
	// Overflows counts the finite values that a conversion made infinite, for
	// the tensors that have any.
	Overflows map[string]int64 `json:"overflows,omitempty"`
}

// recipe is what a replica was made from and how. A replica can be reused only
// for an equal recipe.
type recipe struct {
	Model          string       `json:"model"`
	Source         string       `json:"source"`
	Generation     string       `json:"generation,omitempty"` // of synthetic weights
	SourceFiles    []sourceFile `json:"source_files,omitempty"`
	DType          string       `json:"dtype"`
	Format         Format       `json:"format"`
	PartitionBytes int64        `json:"partition_bytes,omitempty"`
	ShardBytes     int64        `json:"shard_bytes,omitempty"`
}

// recipe returns the recipe of the model's replicas.
func (m Model) recipe(f Format, dtype string, o Options) recipe {
	r := recipe{Model: m.Name, Source: m.Source, DType: dtype, Format: f}
	if m.local != nil {
		r.SourceFiles = m.local.source
	} else {
		r.Generation = generation
	}
	if f == SLLM {
		r.PartitionBytes = o.PartitionBytes
	} else {
		r.ShardBytes = o.ShardBytes
	}
	return r
}

func (r recipe) equal(other recipe) bool { return reflect.DeepEqual(r, other) }

// digest is a Checksum, encoded as 16 hexadecimal digits because most readers
// of JSON would round a number of 64 bits.
type digest uint64

// MarshalText writes the digits.
func (d digest) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%016x", uint64(d)), nil
}

// UnmarshalText reads the digits.
func (d *digest) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	*d = digest(n)
	return err
}

// readManifest reads the manifest of the replica in dir.
func readManifest(dir string) (manifest, error) {
	path := filepath.Join(dir, manifestName)
	b, err := readBounded(path)
	if err != nil {
		return manifest{}, fmt.Errorf("read %s: %w", path, err)
	}
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return manifest{}, fmt.Errorf("read %s: %w", path, corrupt("%v: prepare the replica again", err))
	}
	if m.Schema != manifestSchema {
		return manifest{}, fmt.Errorf("read %s: %w", path, corrupt("its schema is %d and this program needs %d: prepare the replica again", m.Schema, manifestSchema))
	}
	for _, f := range m.Files {
		if !isFileName(f.Name) || f.Size < 0 {
			return manifest{}, fmt.Errorf("read %s: %w", path, corrupt("invalid file %q of %d bytes: prepare the replica again", clip(f.Name), f.Size))
		}
	}
	return m, nil
}

// write writes the manifest into a replica's folder.
func (m manifest) write(dir string) error {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("make %s: %w", manifestName, err)
	}
	return writeWhole(filepath.Join(dir, manifestName), append(b, '\n'))
}

// filesThere reports whether every file has the size that it was written with.
func (m manifest) filesThere(dir string) bool {
	for _, f := range m.Files {
		info, err := os.Stat(filepath.Join(dir, f.Name))
		if err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
			return false
		}
	}
	return true
}

// Overflows reads from the manifest of the replica in dir how many finite
// values became infinite in each tensor's conversion, by the tensor's name.
// Tensors without any are left out.
func Overflows(dir string) (map[string]int64, error) {
	m, err := readManifest(dir)
	return m.Overflows, err
}

// Digests reads from the manifest of the replica in dir the Checksum that each
// tensor had at its source, by the tensor's name.
func Digests(dir string) (map[string]uint64, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	digests := make(map[string]uint64, len(m.Tensors))
	for name, d := range m.Tensors {
		digests[name] = uint64(d)
	}
	return digests, nil
}
