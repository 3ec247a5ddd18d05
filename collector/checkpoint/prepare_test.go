package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// localModel writes a folder with the fixtures in two shards, named as by
// transformers, and sidecars.
func localModel(t testing.TB) (dir string, all []fixture) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "my model")
	all = fixtures()
	half := len(all) / 2
	const a, b = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
	writeSafeTensors(t, filepath.Join(dir, a), all[:half])
	writeSafeTensors(t, filepath.Join(dir, b), all[half:])
	weightMap := map[string]string{}
	for i, f := range all {
		weightMap[f.name] = a
		if i >= half {
			weightMap[f.name] = b
		}
	}
	index, err := json.Marshal(map[string]any{"weight_map": weightMap})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, shardIndexName), index)
	write(t, filepath.Join(dir, "config.json"), []byte(`{"model_type":"test"}`))
	write(t, filepath.Join(dir, "tokenizer.json"), bytes.Repeat([]byte("t"), 5000))
	write(t, filepath.Join(dir, "pytorch_model.bin"), []byte("not ours"))
	return dir, all
}

// prepare runs a plan and compares the result and its progress with the plan.
func prepare(t testing.TB, p Plan) {
	t.Helper()
	var done atomic.Int64
	if err := p.Prepare(t.Context(), func(n int64) { done.Add(n) }); err != nil {
		t.Fatal(err)
	}
	if done.Load() != p.MissingBytes {
		t.Errorf("progress reported %d bytes, want %d", done.Load(), p.MissingBytes)
	}
	for _, dir := range p.Dirs {
		if err := Verify(t.Context(), dir); err != nil {
			t.Error(err)
		}
		c, err := Open(dir, p.Format)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Tensors) != p.Tensors || len(c.Files) != p.Files || c.Bytes() != p.TensorBytes {
			t.Errorf("%s has %d tensors in %d files, %d bytes; want %d, %d, %d", dir,
				len(c.Tensors), len(c.Files), c.Bytes(), p.Tensors, p.Files, p.TensorBytes)
		}
		digests, err := Digests(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(digests) != p.Tensors {
			t.Errorf("%s has %d digests for %d tensors", dir, len(digests), p.Tensors)
		}
	}
}

// TestPrepareLocal converts a folder to both formats, in one file and in many,
// and the result to the other format and back.
func TestPrepareLocal(t *testing.T) {
	dir, all := localModel(t)
	for name, o := range map[string]Options{
		"defaults": {},
		"small":    {PartitionBytes: 4096, ShardBytes: 4000}, // one tensor is larger
		"tiny":     {PartitionBytes: 1, ShardBytes: 1},
	} {
		for _, f := range Formats() {
			t.Run(name+"/"+string(f), func(t *testing.T) {
				p := planFor(t, dir, t.TempDir(), f, AutoDType, 2, o)
				if p.DType != "mixed" {
					t.Errorf("dtype %s", p.DType)
				}
				prepare(t, p)
				for _, replica := range p.Dirs {
					equalContent(t, content(t, replica, f), all)
					for _, sidecar := range []string{"config.json", "tokenizer.json"} {
						sameFile(t, filepath.Join(replica, sidecar), filepath.Join(dir, sidecar))
					}
				}
				checkAlignment(t, p)
				for _, other := range Formats() {
					again := planFor(t, p.Dirs[0], t.TempDir(), other, AutoDType, 1, Options{})
					prepare(t, again)
					equalContent(t, content(t, again.Dirs[0], other), all)
				}
			})
		}
	}
}

// checkAlignment checks that a replica has the alignments of its format.
func checkAlignment(t *testing.T, p Plan) {
	t.Helper()
	c, err := Open(p.Dirs[0], p.Format)
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range c.Tensors {
		switch {
		case p.Format == SLLM && tensor.Offset%8 != 0:
			t.Errorf("tensor %q begins at %d", tensor.Name, tensor.Offset)
		case p.Format == SafeTensors && p.Options.ShardBytes != defaultShardBytes && tensor.Offset%min(tensor.DType.Size(), 8) != 0:
			t.Errorf("tensor %q of %s begins at %d", tensor.Name, tensor.DType, tensor.Offset)
		}
	}
	for _, f := range c.Files {
		if p.Format == SLLM && f.Size%512 != 0 {
			t.Errorf("%s has %d bytes", f.Name, f.Size)
		}
	}
}

// sameFile compares two files.
func sameFile(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Errorf("%s and %s differ", a, b)
	}
}

// TestKeepsShards checks that safetensors files are copied unchanged.
func TestKeepsShards(t *testing.T) {
	dir, _ := localModel(t)
	p := planFor(t, dir, t.TempDir(), SafeTensors, AutoDType, 1, Options{})
	prepare(t, p)
	for _, name := range []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", shardIndexName} {
		sameFile(t, filepath.Join(p.Dirs[0], name), filepath.Join(dir, name))
	}
}

// TestTied converts tied tensors from sllm to safetensors, which keeps the
// embedding's name, and to sllm, which keeps both.
func TestTied(t *testing.T) {
	dir := t.TempDir()
	data := bytes.Repeat([]byte("tied"), 128)
	write(t, filepath.Join(dir, "tensor.data_0"), data)
	write(t, filepath.Join(dir, sllmIndexName), []byte(`{
		"lm_head.weight": [0, 256, [16, 8], [8, 1], "torch.float16"],
		"model.embed_tokens.weight": [0, 256, [16, 8], [8, 1], "torch.float16"],
		"longer.storage": [256, 128, [2, 8], [8, 1], "torch.float16"],
		"another.view": [256, 128, [4, 8], [8, 1], "torch.float16"]
	}`))
	p := planFor(t, dir, t.TempDir(), SafeTensors, "float16", 1, Options{})
	prepare(t, p)
	equalContent(t, content(t, p.Dirs[0], SafeTensors), []fixture{
		{"model.embed_tokens.weight", Float16, []int64{16, 8}, data[:256]},
		{"longer.storage", Float16, []int64{2, 8}, data[256:288]},
		{"another.view", Float16, []int64{4, 8}, data[256:320]},
	})
	p = planFor(t, dir, t.TempDir(), SLLM, "float16", 1, Options{})
	if p.TensorBytes != 256+128 || p.Tensors != 4 {
		t.Errorf("%d bytes in %d tensors", p.TensorBytes, p.Tensors)
	}
	prepare(t, p)
}

// TestStridesRefused has a tensor that safetensors cannot express.
func TestStridesRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tensor.data_0"), make([]byte, 512))
	write(t, filepath.Join(dir, sllmIndexName), []byte(`{"t": [0, 256, [16, 8], [1, 16], "torch.float16"]}`))
	prepare(t, planFor(t, dir, t.TempDir(), SLLM, AutoDType, 1, Options{}))
	m, err := Resolve(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Plan(t.Context(), t.TempDir(), SafeTensors, AutoDType, 1, Options{}); err == nil || !strings.Contains(err.Error(), `"t" has strides [1 16]`) {
		t.Error(err)
	}
}

// TestSyntheticBothFormats synthesizes a model in both formats and compares
// their tensors.
func TestSyntheticBothFormats(t *testing.T) {
	storage := t.TempDir()
	a := planFor(t, "synthetic/opt-125m", storage, SafeTensors, "float16", 1, Options{ShardBytes: 100_000_000})
	b := planFor(t, "synthetic/opt-125m", storage, SLLM, "float16", 2, Options{PartitionBytes: 90_000_000})
	prepare(t, a)
	prepare(t, b)
	if a.Files < 3 || b.Files < 3 || a.TensorBytes != 2*125_239_296 || b.TensorBytes != a.TensorBytes {
		t.Errorf("%d and %d files, %d and %d bytes", a.Files, b.Files, a.TensorBytes, b.TensorBytes)
	}
	if got, want := b.Dirs[1], filepath.Join(storage, "synthetic/opt-125m/float16/sllm/1"); got != want {
		t.Errorf("replica 1 is in %s, want %s", got, want)
	}
	first, err := Digests(a.Dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	second, err := Digests(b.Dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	if second["lm_head.weight"] != second["model.decoder.embed_tokens.weight"] {
		t.Error("lm_head.weight is not tied")
	}
	delete(second, "lm_head.weight")
	if !maps.Equal(first, second) {
		t.Error("the formats hold different tensors")
	}
	copied, err := Digests(b.Dirs[1])
	if err != nil || len(copied) != len(second)+1 {
		t.Errorf("the copy has %d digests, %v", len(copied), err)
	}
	var index struct {
		Metadata struct {
			Size int64 `json:"total_size"`
		}
		WeightMap map[string]string `json:"weight_map"`
	}
	content, err := os.ReadFile(filepath.Join(a.Dirs[0], shardIndexName))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &index); err != nil || index.Metadata.Size != a.TensorBytes || len(index.WeightMap) != a.Tensors {
		t.Errorf("%v: %d bytes, %d names", err, index.Metadata.Size, len(index.WeightMap))
	}
}

// TestReuse prepares again after each kind of damage, and checks that only the
// damaged replica is written anew.
func TestReuse(t *testing.T) {
	dir, all := localModel(t)
	storage := t.TempDir()
	plan := func() Plan { return planFor(t, dir, storage, SLLM, AutoDType, 3, Options{}) }
	first := plan()
	if first.MissingBytes != 3*first.ReplicaBytes {
		t.Errorf("%d bytes missing of 3 × %d", first.MissingBytes, first.ReplicaBytes)
	}
	if list := names(t, storage); len(list) > 0 {
		t.Errorf("Plan wrote %q", list)
	}
	prepare(t, first)
	if again := plan(); again.MissingBytes != 0 {
		t.Fatalf("%d bytes missing after all were written", again.MissingBytes)
	}
	for name, damage := range map[string]func(replica string) error{
		"tensors truncated": func(r string) error { return os.Truncate(filepath.Join(r, "tensor.data_0"), 512) },
		"no config":         func(r string) error { return os.Remove(filepath.Join(r, "config.json")) },
		"index changed": func(r string) error {
			path := filepath.Join(r, sllmIndexName)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, bytes.Replace(b, []byte("torch.float32"), []byte("torch.floatXX"), 1), 0o666)
		},
		"manifest truncated": func(r string) error { return os.Truncate(filepath.Join(r, manifestName), 100) },
		"other schema": func(r string) error {
			return os.WriteFile(filepath.Join(r, manifestName), []byte(`{"schema":99}`), 0o666)
		},
		"gone": os.RemoveAll,
	} {
		t.Run(name, func(t *testing.T) {
			if err := damage(first.Dirs[1]); err != nil {
				t.Fatal(err)
			}
			p := plan()
			if p.MissingBytes != p.ReplicaBytes {
				t.Errorf("%d bytes missing, want %d", p.MissingBytes, p.ReplicaBytes)
			}
			prepare(t, p)
			equalContent(t, content(t, p.Dirs[1], SLLM), all)
		})
	}
	t.Run("other options", func(t *testing.T) {
		p := planFor(t, dir, storage, SLLM, AutoDType, 1, Options{PartitionBytes: 4096})
		if p.MissingBytes != p.ReplicaBytes {
			t.Errorf("%d bytes missing, want %d", p.MissingBytes, p.ReplicaBytes)
		}
	})
	t.Run("other source", func(t *testing.T) {
		write(t, filepath.Join(dir, "config.json"), []byte(`{"model_type":"other"}`))
		if p := plan(); p.MissingBytes != 3*p.ReplicaBytes {
			t.Errorf("%d bytes missing, want 3 × %d", p.MissingBytes, p.ReplicaBytes)
		}
	})
	t.Run("source changed after the plan", func(t *testing.T) {
		p := plan()
		write(t, filepath.Join(dir, "config.json"), []byte(`{"model_type":"third"}`))
		if err := p.Prepare(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "config.json: it changed while it was read") {
			t.Error(err)
		}
	})
}

// TestVerifyFindsOneBit flips one bit, which the cheap checks of reuse miss.
func TestVerifyFindsOneBit(t *testing.T) {
	dir, _ := localModel(t)
	p := planFor(t, dir, t.TempDir(), SafeTensors, AutoDType, 1, Options{})
	prepare(t, p)
	c, err := Open(p.Dirs[0], SafeTensors)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(c.Tensors, func(t Tensor) bool { return t.Name == "large" })
	path := c.Path(c.Tensors[i].File)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[c.Tensors[i].Offset+123_456] ^= 1
	write(t, path, b)
	if err := Verify(t.Context(), p.Dirs[0]); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), `tensor "large"`) {
		t.Error(err)
	}
}

// TestCancel cancels Prepare at several points and checks that nothing partial
// remains.
func TestCancel(t *testing.T) {
	storage := t.TempDir()
	p := planFor(t, "synthetic/opt-125m", storage, SLLM, "float16", 2, Options{})
	for _, at := range []int64{0, 1, p.ReplicaBytes / 2, p.ReplicaBytes + p.ReplicaBytes/2} {
		ctx, cancel := context.WithCancel(t.Context())
		if at == 0 {
			cancel()
		}
		var done atomic.Int64
		err := p.Prepare(ctx, func(n int64) {
			if done.Add(n) >= at {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at %d of %d bytes: %v", at, p.ReplicaBytes, err)
		}
		want := []string{lockName}
		if at > p.ReplicaBytes {
			want = append(want, "0") // completed before
		}
		if got := names(t, p.root()); !reflect.DeepEqual(got, want) {
			t.Errorf("cancelled at %d of %d bytes: left %q, want %q", at, p.ReplicaBytes, got, want)
		}
	}
	prepare(t, planFor(t, "synthetic/opt-125m", storage, SLLM, "float16", 2, Options{}))
}

func TestPlanRefuses(t *testing.T) {
	dir, _ := localModel(t)
	half := t.TempDir()
	writeSafeTensors(t, filepath.Join(half, "model.safetensors"), []fixture{
		{"w", Float16, []int64{2}, make([]byte, 4)}, {"ids", Int64, []int64{1}, make([]byte, 8)},
	})
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	taken := t.TempDir()
	write(t, filepath.Join(taken, "synthetic/opt-125m/float16/sllm/0/precious"), nil)
	for _, test := range []struct {
		model, storage string
		format         Format
		dtype          string
		replicas       int
		want           string
	}{
		{half, t.TempDir(), SLLM, "int8", 1, `cannot convert tensor "w" from float16 to int8: use dtype float16, bfloat16, float32 or auto`},
		{half, t.TempDir(), SLLM, "float12", 1, `unknown dtype "float12"`},
		{dir, t.TempDir(), "pickle", AutoDType, 1, `unknown format "pickle"`},
		{dir, t.TempDir(), SLLM, AutoDType, 0, "use 1 or more"},
		{"synthetic/opt-125m", t.TempDir(), SLLM, "int8", 1, "cannot synthesize weights in int8"},
		{"synthetic/opt-125m", file, SLLM, "float16", 1, "it is a file"},
		{"synthetic/opt-125m", taken, SLLM, "float16", 1, "sllmq did not write it"},
	} {
		m, err := Resolve(t.Context(), test.model)
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Plan(t.Context(), test.storage, test.format, test.dtype, test.replicas, Options{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want an error with %q", err, test.want)
		}
	}
	m, err := Resolve(t.Context(), half)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Plan(t.Context(), t.TempDir(), SLLM, AutoDType, 1, Options{ReplicaMode: "move"}); err == nil || !strings.Contains(err.Error(), `unknown replica mode "move"`) {
		t.Error(err)
	}
	for _, dtype := range []string{"float16", AutoDType} {
		if p := planFor(t, half, t.TempDir(), SLLM, dtype, 1, Options{}); p.DType != "float16" {
			t.Errorf("dtype %s gives %s", dtype, p.DType)
		}
	}
}

// TestFolderNames checks that local models get distinct folders within the
// storage path.
func TestFolderNames(t *testing.T) {
	seen := map[string]string{}
	for _, dir := range []string{"/a/model", "/b/model", "/", "/..x", "/.hidden", "/a/名前", "/a/b c;$(x)", "/" + strings.Repeat("x", 255)} {
		got := (&local{dir: dir}).folder()
		if !filepath.IsLocal(got) || strings.Count(got, "/") != 1 || len(got) > 200 || strings.ContainsAny(got, " ;$") || strings.Contains(got, "/.") {
			t.Errorf("the folder of %s is %q", dir, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("the folder of both %s and %s is %s", dir, other, got)
		}
		seen[got] = dir
	}
}

// TestDirectAndNot writes the same bytes with O_DIRECT and without.
func TestDirectAndNot(t *testing.T) {
	s, err := findSynthetic("opt-125m")
	if err != nil {
		t.Fatal(err)
	}
	g := newGenerator(s, Float16)
	const size = 3*blockBytes + 12_345
	for _, direct := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), fmt.Sprint(direct))
		p := pipeline{files: []layoutFile{{name: filepath.Base(path), size: size}}}
		if err := p.create(filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
		if direct && p.out[0].direct == nil {
			t.Log("no O_DIRECT here")
		}
		if !direct && p.out[0].direct != nil {
			if err := p.out[0].direct.Close(); err != nil {
				t.Fatal(err)
			}
			p.out[0].direct = nil
		}
		want := make([]byte, size)
		if err := g.fill(want, 0, 0); err != nil {
			t.Fatal(err)
		}
		// With unaligned memory, O_DIRECT fails on strict devices and writeAt must
		// fall back to the page cache.
		for at := 0; at < size; at += blockBytes {
			if err := p.out[0].writeAt(want[at:min(at+blockBytes, size)], int64(at)); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.finish(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("direct %v: %d bytes differ, %v", direct, len(got), err)
		}
	}
}
