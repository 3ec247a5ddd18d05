package checkpoint

import (
	"os"
	"path/filepath"
	"testing"
)

// sparseReplica writes a model with its true index and headers, but with holes
// for tensors, so that its files have their size without taking space.
func sparseReplica(t testing.TB, name string, f Format) string {
	t.Helper()
	dir := t.TempDir()
	writeSparse(t, dir, name, f)
	return dir
}

// writeSparse writes such a replica into dir.
func writeSparse(t testing.TB, dir, name string, f Format) {
	t.Helper()
	m, err := Resolve(t.Context(), syntheticPrefix+name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(t.Context(), dir, f, AutoDType, 1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range p.layout.files {
		path := filepath.Join(dir, file.name)
		if err := os.WriteFile(path, file.head, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, file.size); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range p.layout.extras {
		if err := os.WriteFile(filepath.Join(dir, e.name), e.data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
