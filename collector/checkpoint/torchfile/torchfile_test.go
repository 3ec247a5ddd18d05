package torchfile_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector/checkpoint/torchfile"
)

// TestReadEqualsTorch compares names, types and shapes with what torch read.
// Tests of collector/checkpoint compare the bytes.
func TestReadEqualsTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Files map[string]map[string]struct {
			DType string
			Shape []int64
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Files) < 6 {
		t.Fatalf("%d files", len(golden.Files))
	}
	for name, want := range golden.Files {
		tensors, err := readFile(t, name+".pt")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(tensors) != len(want) {
			t.Errorf("%s: %d tensors, torch has %d", name, len(tensors), len(want))
		}
		for _, tensor := range tensors {
			if w, ok := want[tensor.Name]; !ok || w.DType != tensor.DType || !slices.Equal(w.Shape, tensor.Shape) {
				t.Errorf("%s: %+v, torch has %+v", name, tensor, w)
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"legacy.pt":     "torch before 1.6",
		"malicious.pt":  "imports posix.system",
		"object.pt":     "imports torch.nn.modules.linear.Linear",
		"compressed.pt": "is compressed",
	} {
		_, err := readFile(t, name)
		if !errors.Is(err, torchfile.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", name, err, want)
		}
	}
	for content, want := range map[string]string{
		"":                                      "read the beginning",
		"version https://git-lfs.github.com/":   "git lfs pull",
		"GGUF\x03\x00":                          "GGUF",
		"<html>":                                "not a zip",
		"PK\x03\x04 and no more":                "truncated",
		"\x80\x04\x95\x00\x00\x00\x00\x00\x00.": "bare pickle",
	} {
		_, err := torchfile.Read(strings.NewReader(content), int64(len(content)))
		if content == "" {
			if err == nil {
				t.Error("Read accepted an empty file")
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", content, err, want)
		}
	}
}

// pack returns a zip archive of a pickle and one storage of 8 bytes.
func pack(t testing.TB, pickle string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]string{"a/data.pkl": pickle, "a/data/0": "01234567"} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// oneTensor returns the pickle of a state dict with "w", a float32 tensor of one
// dimension in storage 0. The arguments are pickled numbers.
func oneTensor(offset, length, stride string) string {
	return "\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x02tQ" +
		offset + length + "\x85" + stride + "\x85\x89}tRs."
}

func TestHostilePickles(t *testing.T) {
	good := oneTensor("K\x00", "K\x02", "K\x01")
	if tensors, err := readBytes(pack(t, good)); err != nil || len(tensors) != 1 || tensors[0].Size != 8 {
		t.Fatalf("%+v, %v", tensors, err)
	}
	huge := "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"
	for name, test := range map[string]struct{ pickle, want string }{
		"past its storage":   {oneTensor("K\x00", "K\x03", "K\x01"), "past its storage"},
		"offset past":        {oneTensor("K\x03", "K\x00", "K\x01"), "past its storage"},
		"huge offset":        {oneTensor(huge, "K\x01", "K\x01"), "past its storage"},
		"huge length":        {oneTensor("K\x00", huge, "K\x01"), "overflows"},
		"huge stride":        {oneTensor("K\x00", "K\x03", huge), "overflows"},
		"negative":           {oneTensor("J\xff\xff\xff\xff", "K\x01", "K\x01"), "offset -1"},
		"empty":              {"", "ends too early"},
		"no end":             {"\x80\x02}", "ends too early"},
		"long string":        {"\x80\x02X\xff\xff\xff\xffabc", "ends too early"},
		"longer string":      {"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc", "ends too early"},
		"nothing to take":    {"\x80\x02t.", "missing mark"},
		"nothing to pop":     {"\x80\x020.", "missing value"},
		"below a mark":       {"\x80\x02K\x01(\x85.", "missing value"},
		"empty memo":         {"\x80\x02h\x05.", "before writing it"},
		"eval":               {"\x80\x02cbuiltins\neval\nU\x011\x85R.", "imports builtins.eval"},
		"stack eval":         {"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "imports builtins.eval"},
		"inst":               {"\x80\x02(ios\nsystem\n.", "opcode 0x69"},
		"call of a number":   {"\x80\x02K\x01)R.", "calls a value that is not a name"},
		"call of a storage":  {"\x80\x02ctorch\nFloatStorage\n)R.", "calls torch.FloatStorage"},
		"list":               {"\x80\x02]K\x01a.", "does not hold a dict"},
		"empty dict":         {"\x80\x02}.", "no tensors"},
		"missing storage":    {strings.Replace(good, "U\x010", "U\x017", 1), "not in the file"},
		"append to a number": {"\x80\x02K\x01K\x02a.", "not a list"},
		"protocol":           {"\x80\x09.", "protocol is 9"},
		"marks alone":        {"\x80\x02" + strings.Repeat("(", 1<<20+1) + ".", "more values than any"},
		"a list of too many": {"\x80\x02]" + strings.Repeat("("+strings.Repeat("N", 1<<19)+"e", 33) + ".", "more values than any"},
	} {
		_, err := readBytes(pack(t, test.pickle))
		if !errors.Is(err, torchfile.ErrRefused) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, test.want)
		}
	}
}

func readBytes(b []byte) ([]torchfile.Tensor, error) {
	return torchfile.Read(bytes.NewReader(b), int64(len(b)))
}

func readFile(t *testing.T, name string) ([]torchfile.Tensor, error) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return readBytes(b)
}

// checkBounds checks what every reader of a Tensor trusts.
func checkBounds(t *testing.T, tensors []torchfile.Tensor, size int) {
	for _, tensor := range tensors {
		if tensor.Offset < 0 || tensor.Size < 0 || tensor.Offset > int64(size) || tensor.Size > int64(size)-tensor.Offset ||
			len(tensor.Shape) != len(tensor.Stride) {
			t.Fatalf("%+v in a file of %d bytes", tensor, size)
		}
	}
}

func FuzzPickle(f *testing.F) {
	for _, name := range []string{"dtypes", "views", "tied", "parameters", "module", "wrapped", "malicious"} {
		z, err := zip.OpenReader(filepath.Join("testdata", name+".pt"))
		if err != nil {
			f.Fatal(err)
		}
		file, err := z.Open(name + "/data.pkl")
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(file); err != nil {
			f.Fatal(err)
		}
		f.Add(b.String())
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(oneTensor("K\x00", "K\x02", "K\x01"))
	f.Fuzz(func(t *testing.T, pickle string) {
		file := pack(t, pickle)
		if tensors, err := readBytes(file); err == nil {
			checkBounds(t, tensors, len(file))
		}
	})
}

func FuzzZip(f *testing.F) {
	for _, name := range []string{"tied.pt", "views.pt", "compressed.pt"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if tensors, err := readBytes(file); err == nil {
			checkBounds(t, tensors, len(file))
		}
	})
}
