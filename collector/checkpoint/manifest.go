package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
)

// manifestName is the file in a replica that says what it is. It is written
// last, and the replica has no name of its own before it.
const manifestName = "sllmq.json"

// manifestSchema is the version of manifest. A replica with another one is
// written again.
const manifestSchema = 2

// manifest is the content of sllmq.json.
type manifest struct {
	Schema  int     `json:"schema"`
	Request request `json:"request"`
	Files   []File  `json:"files"` // all but the manifest
	// Replica is how it came to be from another one; empty: from the model.
	Replica ReplicaMode `json:"replica,omitempty"`
	// Tensors are the checksums of the source's bytes, taken before they were
	// written.
	Tensors map[string]digest `json:"tensors"`
	// Overflows counts, for tensors that have any, the finite values that a
	// conversion made infinite.
	Overflows map[string]int64 `json:"overflows,omitempty"`
}

// request is what a replica was made from and how. A replica serves exactly
// the request that it was made for.
type request struct {
	Model          string       `json:"model"`
	Source         string       `json:"source"`
	Generation     string       `json:"generation,omitempty"` // of made-up weights
	SourceFiles    []sourceFile `json:"source_files,omitempty"`
	DType          string       `json:"dtype"`
	Format         Format       `json:"format"`
	PartitionBytes int64        `json:"partition_bytes,omitempty"`
	ShardBytes     int64        `json:"shard_bytes,omitempty"`
}

// request is what a replica of the model has to have been made for.
func (m Model) request(f Format, dtype string, o Options) request {
	r := request{Model: m.Name, Source: m.Source, DType: dtype, Format: f}
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

func (r request) equal(other request) bool { return reflect.DeepEqual(r, other) }

// digest is a checksum as 16 hexadecimal digits: a JSON number would lose its
// low bits in most readers.
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
		return manifest{}, fmt.Errorf("read %s: %w", path, corrupt("schema %d, this program knows %d: prepare the replica again", m.Schema, manifestSchema))
	}
	for _, f := range m.Files {
		if !isFileName(f.Name) || f.Size < 0 {
			return manifest{}, fmt.Errorf("read %s: %w", path, corrupt("no file can be %q of %d bytes: prepare the replica again", clip(f.Name), f.Size))
		}
	}
	return m, nil
}

// write puts the manifest into a replica's folder.
func (m manifest) write(dir string) error {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("make %s: %w", manifestName, err)
	}
	return writeWhole(filepath.Join(dir, manifestName), append(b, '\n'))
}

// filesThere says whether every file has the size that it was written with.
func (m manifest) filesThere(dir string) bool {
	for _, f := range m.Files {
		info, err := os.Stat(filepath.Join(dir, f.Name))
		if err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
			return false
		}
	}
	return true
}

// Overflows reads, from the manifest of a prepared replica, how many finite
// values became infinite in each tensor when it was converted. Tensors without
// any are left out.
func Overflows(dir string) (map[string]int64, error) {
	m, err := readManifest(dir)
	return m.Overflows, err
}

// Digests reads, from the manifest of a prepared replica, the Checksum that
// each tensor had at its source, by the tensor's name.
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
