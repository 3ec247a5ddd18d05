package checkpoint

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sllmq/sllmq/collector/checkpoint/filetest"
)

// fixture is a tensor that tests write with their own code, not with the code
// under test.
type fixture struct {
	name  string
	dtype DType
	shape []int64
	data  []byte
}

// fixtures returns tensors of every dtype, a scalar, empty tensors, odd lengths
// and names that JSON must escape.
func fixtures() []fixture {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(name string, d DType, shape ...int64) fixture {
		n, _ := denseBytes(shape, d)
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		return fixture{name, d, shape, data}
	}
	list := []fixture{
		random("scalar", Float32),
		random("empty", Float16, 0, 5),
		random("empty.too", Int64, 3, 0, 1<<40),
		random(`a "quoted" \ name`, Float16, 3, 3),
		random("naïve <&> 名前", UInt8, 7),
		random("../../etc/passwd", Int8, 13),
		random("large", Float32, 1237, 1009),
		random("", Bool, 1),
	}
	for _, d := range DTypes() {
		list = append(list, random("of."+d.String(), d, 5, 3))
	}
	return list
}

// writeSafeTensors writes tensors without gaps, those with the largest elements
// first, as the format requires.
func writeSafeTensors(t testing.TB, path string, list []fixture) {
	t.Helper()
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b fixture) int { return int(b.dtype.Size() - a.dtype.Size()) })
	var tensors []filetest.Tensor
	for _, f := range list {
		tensors = append(tensors, filetest.Tensor{Name: f.name, DType: f.dtype, Shape: f.shape, Data: f.data})
	}
	write(t, path, filetest.EncodeSafeTensors(tensors))
}

// write writes a file.
func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

// content reads every tensor of a checkpoint.
func content(t testing.TB, dir string, f Format) map[string]fixture {
	t.Helper()
	c, err := Open(dir, f)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]fixture{}
	for _, tensor := range c.Tensors {
		file, err := os.ReadFile(c.Path(tensor.File))
		if err != nil {
			t.Fatal(err)
		}
		got[tensor.Name] = fixture{tensor.Name, tensor.DType, tensor.Shape, file[tensor.Offset : tensor.Offset+tensor.Size]}
	}
	if len(got) != len(c.Tensors) {
		t.Errorf("%s has %d tensors with %d names", dir, len(c.Tensors), len(got))
	}
	return got
}

// equalContent compares a checkpoint's tensors with the expected ones.
func equalContent(t testing.TB, got map[string]fixture, want []fixture) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %d tensors %q, want %d", len(got), slices.Sorted(maps.Keys(got)), len(want))
	}
	for _, w := range want {
		g, ok := got[w.name]
		if !ok {
			t.Errorf("tensor %q is missing", w.name)
			continue
		}
		if g.dtype != w.dtype || !slices.Equal(g.shape, w.shape) || !bytes.Equal(g.data, w.data) {
			t.Errorf("tensor %q: got %s %v, %d bytes, want %s %v, %d bytes, or the bytes differ", w.name, g.dtype, g.shape, len(g.data), w.dtype, w.shape, len(w.data))
		}
	}
}

// planFor resolves a model and plans its replicas.
func planFor(t testing.TB, model, storage string, f Format, dtype string, replicas int, o Options) Plan {
	t.Helper()
	m, err := Resolve(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(t.Context(), storage, f, dtype, replicas, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// names returns the names in a folder.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
