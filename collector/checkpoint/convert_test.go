package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/internal/float16"
)

// TestConversionEqualsTorch compares with torch's results, which
// scripts/fixtures/make_conversion.py recorded.
func TestConversionEqualsTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/conversion.json")
	if err != nil {
		t.Fatal(err)
	}
	type golden struct{ From, To, SHA256, In, Out string }
	var torch struct{ All, Some []golden }
	if err := json.Unmarshal(text, &torch); err != nil {
		t.Fatal(err)
	}
	if len(torch.All) != 4 || len(torch.Some) != 5 {
		t.Fatalf("%d and %d conversions", len(torch.All), len(torch.Some))
	}
	every := make([]byte, 2<<16)
	for i := range 1 << 16 {
		binary.LittleEndian.PutUint16(every[2*i:], uint16(i))
	}
	for _, g := range torch.All {
		sum := sha256.Sum256(canonical(convertedBytes(t, g.From, g.To, every), g.To))
		if hex.EncodeToString(sum[:]) != g.SHA256 {
			t.Errorf("%s to %s differs from torch", g.From, g.To)
		}
	}
	for _, g := range torch.Some {
		in, err := hex.DecodeString(g.In)
		if err != nil {
			t.Fatal(err)
		}
		got := hex.EncodeToString(canonical(convertedBytes(t, g.From, g.To, in), g.To))
		if got == g.Out {
			continue
		}
		from, to := dtypeNamed(t, g.From).Size()*2, dtypeNamed(t, g.To).Size()*2
		for i := int64(0); i < int64(len(g.Out))/to; i++ {
			if a, b := got[i*to:(i+1)*to], g.Out[i*to:(i+1)*to]; a != b {
				t.Fatalf("%s %s to %s is %s, torch has %s", g.From, g.In[i*from:(i+1)*from], g.To, a, b)
			}
		}
	}
}

func dtypeNamed(t testing.TB, name string) DType {
	t.Helper()
	d, err := ParseDType(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func convertedBytes(t testing.TB, from, to string, in []byte) []byte {
	t.Helper()
	f, d := dtypeNamed(t, from), dtypeNamed(t, to)
	convert, err := conversionBetween(f, d)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, int64(len(in))/f.Size()*d.Size())
	convert(out, in)
	return out
}

// canonical replaces every NaN by the positive quiet one.
func canonical(b []byte, dtype string) []byte {
	for i := 0; i < len(b); i += 2 {
		switch v := binary.LittleEndian.Uint16(b[i:]); {
		case dtype == "float16" && v&0x7fff > float16.Infinity:
			binary.LittleEndian.PutUint16(b[i:], 0x7e00)
		case dtype == "bfloat16" && v&0x7fff > float16.BFloat16Infinity:
			binary.LittleEndian.PutUint16(b[i:], 0x7fc0)
		}
	}
	if dtype != "float32" {
		return b
	}
	for i := 0; i < len(b); i += 4 {
		if v := binary.LittleEndian.Uint32(b[i:]); v&0x7fff_ffff > float16.Float32Infinity {
			binary.LittleEndian.PutUint32(b[i:], 0x7fc0_0000)
		}
	}
	return b
}

func TestPrepareConverts(t *testing.T) {
	dir := t.TempDir()
	values := []float32{1, -2.5, 65519, 65520, -1e30, float32(math.Inf(1)), 0x1p-25, 1e-8}
	var raw, ids []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		ids = binary.LittleEndian.AppendUint64(ids, uint64(v))
	}
	writeSafeTensors(t, filepath.Join(dir, "model.safetensors"), []fixture{
		{"w", Float32, []int64{2, 4}, raw}, {"ids", Int64, []int64{8}, ids},
		{"kept", Float16, []int64{2}, []byte{1, 2, 3, 4}},
	})
	write(t, filepath.Join(dir, "config.json"), []byte(`{"architectures": ["X"], "torch_dtype": "float32", "big": 12345678901234567890}`))
	for _, format := range Formats() {
		p := planFor(t, dir, t.TempDir(), format, "float16", 2, Options{})
		prepare(t, p)
		for _, replica := range p.Dirs {
			if err := Verify(t.Context(), replica); err != nil {
				t.Fatal(err)
			}
			over, err := Overflows(replica)
			if err != nil || len(over) != 1 || over["w"] != 2 {
				t.Errorf("%s: overflows %v, %v; want 2 in w", format, over, err)
			}
			c, err := Open(replica, format)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"w": "003c00c1ff7b007c00fc007c00000000", "ids": hex.EncodeToString(ids), "kept": "01020304",
			}
			for _, tensor := range c.Tensors {
				file, err := os.ReadFile(c.Path(tensor.File))
				if err != nil {
					t.Fatal(err)
				}
				if got := hex.EncodeToString(file[tensor.Offset : tensor.Offset+tensor.Size]); got != want[tensor.Name] {
					t.Errorf("%s: %s is %s, want %s", format, tensor.Name, got, want[tensor.Name])
				}
			}
			config, err := os.ReadFile(filepath.Join(replica, "config.json"))
			if err != nil || !bytes.Contains(config, []byte(`"torch_dtype": "float16"`)) || !bytes.Contains(config, []byte("12345678901234567890")) {
				t.Errorf("config.json: %s, %v", config, err)
			}
		}
	}
}

func TestConvertingRefusesInvalidConfig(t *testing.T) {
	for _, text := range []string{"null", "[]", "{", `"x"`} {
		dir := t.TempDir()
		writeSafeTensors(t, filepath.Join(dir, "model.safetensors"), []fixture{{"w", Float32, []int64{1}, make([]byte, 4)}})
		write(t, filepath.Join(dir, "config.json"), []byte(text))
		m, err := Resolve(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Plan(t.Context(), t.TempDir(), SLLM, "float16", 1, Options{}); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "config.json") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// BenchmarkConvert measures each conversion and a plain copy, in source bytes
// per second on one core.
func BenchmarkConvert(b *testing.B) {
	for _, pair := range [][2]DType{{Float32, Float16}, {Float32, BFloat16}, {BFloat16, Float16}, {Float16, BFloat16}, {Float16, Float32}, {BFloat16, Float32}, {Float64, Float16}} {
		b.Run(fmt.Sprintf("%s-%s", pair[0], pair[1]), func(b *testing.B) {
			convert, err := conversionBetween(pair[0], pair[1])
			if err != nil {
				b.Fatal(err)
			}
			src := make([]byte, 4<<20)
			for i := range src {
				src[i] = byte(i*2654435761>>20)&0x3f | 1
			}
			dst := make([]byte, int64(len(src))/pair[0].Size()*pair[1].Size())
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				convert(dst, src)
			}
		})
	}
	b.Run("copy", func(b *testing.B) {
		src, dst := make([]byte, 4<<20), make([]byte, 4<<20)
		b.SetBytes(int64(len(src)))
		for b.Loop() {
			copy(dst, src)
		}
	})
}
