package checkpoint

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goldenTensor is a tensor as torch reads it.
type goldenTensor struct {
	DType string
	Shape []int64
	Bytes string
}

func torchGolden(t *testing.T) map[string]map[string]goldenTensor {
	t.Helper()
	text, err := os.ReadFile("torchfile/testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Files map[string]map[string]goldenTensor
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	return golden.Files
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, b)
}

// holds compares a prepared replica with torch's tensors.
func holds(t *testing.T, dir string, f Format, want map[string]goldenTensor) {
	t.Helper()
	if err := Verify(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	c, err := Open(dir, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range c.Tensors {
		w := want[tensor.Name]
		file, err := os.ReadFile(c.Path(tensor.File))
		if err != nil {
			t.Fatal(err)
		}
		if tensor.DType.String() != w.DType || !slices.Equal(tensor.Shape, w.Shape) || hex.EncodeToString(file[tensor.Offset:tensor.Offset+tensor.Size]) != w.Bytes {
			t.Errorf("%s: %s is %s %v, torch has %s %v, or their bytes differ", f, tensor.Name, tensor.DType, tensor.Shape, w.DType, w.Shape)
		}
	}
}

func TestPreparePyTorch(t *testing.T) {
	for name, want := range torchGolden(t) {
		dir := t.TempDir()
		copyTo(t, "torchfile/testdata/"+name+".pt", filepath.Join(dir, pickleName))
		copyTo(t, "torchfile/testdata/legacy.pt", filepath.Join(dir, "optimizer.pt"))
		for _, f := range Formats() {
			p := planFor(t, dir, t.TempDir(), f, AutoDType, 1, Options{})
			tensors := len(want)
			if name == "tied" && f == SafeTensors {
				tensors-- // lm_head is the embedding
			}
			if p.Tensors != tensors {
				t.Errorf("%s as %s: %d tensors, want %d", name, f, p.Tensors, tensors)
			}
			prepare(t, p)
			holds(t, p.Dirs[0], f, want)
		}
	}
}

func TestPyTorchShards(t *testing.T) {
	golden := torchGolden(t)
	dir := t.TempDir()
	copyTo(t, "torchfile/testdata/views.pt", filepath.Join(dir, "pytorch_model-00001-of-00002.bin"))
	copyTo(t, "torchfile/testdata/tied.pt", filepath.Join(dir, "pytorch_model-00002-of-00002.bin"))
	write(t, filepath.Join(dir, pickleIndexName), []byte(`{"weight_map":{"whole":"pytorch_model-00001-of-00002.bin","other.weight":"pytorch_model-00002-of-00002.bin"}}`))
	want := golden["views"]
	for name, tensor := range golden["tied"] {
		want[name] = tensor
	}
	for _, f := range Formats() {
		p := planFor(t, dir, t.TempDir(), f, AutoDType, 1, Options{})
		prepare(t, p)
		holds(t, p.Dirs[0], f, want)
	}
	// Without the index it is unknown which file is the model's.
	if err := os.Remove(filepath.Join(dir, pickleIndexName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Resolve(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "2 PyTorch files but no "+pickleIndexName) {
		t.Error(err)
	}
}

func TestPyTorchRefuses(t *testing.T) {
	for _, name := range []string{"legacy", "malicious", "object", "compressed"} {
		dir := t.TempDir()
		copyTo(t, "torchfile/testdata/"+name+".pt", filepath.Join(dir, "model.pt"))
		if _, err := Resolve(t.Context(), dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "model.pt")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
