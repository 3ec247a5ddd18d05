package checkpoint

import (
	"encoding/json"
	"errors"
	"testing"
)

// FuzzSafeTensorsHeader tries any header and file size. Accepted headers must be
// JSON, and their tensors must cover the file without gaps.
func FuzzSafeTensorsHeader(f *testing.F) {
	for _, seed := range []string{
		`{}`,
		`{"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}   `,
		`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"BOOL","shape":[0,9],"data_offsets":[4,4]}}`,
		`{"\u0061\ud83d\ude00":{"shape":[1],"dtype":"I64","data_offsets":[0,8]}}`,
		`{"a":{"dtype":"F16","shape":[9223372036854775807,0],"data_offsets":[0,0]}}`,
		`{"a":{"dtype":"F16","shape":[1],"data_offsets":[18446744073709551615,1]}}`,
		`{"__metadata__":[1e5,-0.1,null,true,{"x":""}]}`,
	} {
		f.Add([]byte(seed), int64(len(seed))+prefixBytes+4)
	}
	f.Fuzz(func(t *testing.T, header []byte, size int64) {
		if size < prefixBytes+int64(len(header)) {
			return // refused before the header is read
		}
		tensors, err := parseHeader(header, size)
		if err != nil {
			oneCorrupt(t, err)
			return
		}
		if !json.Valid(header) {
			t.Errorf("accepted invalid JSON: %q", header)
		}
		end := prefixBytes + int64(len(header))
		for _, tensor := range tensors {
			n, ok := denseBytes(tensor.Shape, tensor.DType)
			if tensor.Offset != end || tensor.Size != n || !ok || len(tensor.Shape) != len(tensor.Stride) || !isDense(tensor.Shape, tensor.Stride) {
				t.Errorf("accepted %+v after byte %d", tensor, end)
			}
			end += tensor.Size
		}
		if end != size {
			t.Errorf("accepted tensors up to %d of %d", end, size)
		}
	})
}

// FuzzSLLMIndex tries any index over two partitions. Accepted indexes must be
// JSON, and each of their tensors must lie within a partition and overlap
// nothing but its aliases.
func FuzzSLLMIndex(f *testing.F) {
	for _, seed := range []string{
		`{}`,
		`{"a":[0,8,[2,2],[2,1],"torch.float16"],"tied":[0,8,[2,2],[2,1],"torch.float16"]}`,
		`{"a":[24,8,[],[],"torch.int64"],"b":[32,64,[3,0],[1,1],"torch.uint8"],"c":[96,0,[0],[1],"torch.bool"]}`,
		`{"a":[0,8,[9223372036854775807],[9223372036854775807],"torch.float16"]}`,
		`{"a":[9223372036854775807,9223372036854775807,[1],[1],"torch.float64"]}`,
		`{"\ud800":[0,0,[0],[0],"torch.float8_e5m2"]}`,
	} {
		f.Add([]byte(seed), int64(32), int64(64))
	}
	f.Fuzz(func(t *testing.T, index []byte, first, second int64) {
		if first < 0 || second < 0 || first > 1<<62 || second > 1<<61 {
			return
		}
		files := []File{{Name: "tensor.data_0", Size: first}, {Name: "tensor.data_1", Size: second}}
		tensors, err := parseIndex(index, files)
		if err != nil {
			oneCorrupt(t, err)
			return
		}
		if !json.Valid(index) {
			t.Errorf("accepted invalid JSON: %q", index)
		}
		for i, a := range tensors {
			reach, ok := viewBytes(a.Shape, a.Stride, a.DType)
			if a.Offset < 0 || a.Size < 0 || a.File > 1 || a.Offset > files[a.File].Size-a.Size || !ok || reach > a.Size {
				t.Errorf("accepted %+v in %v", a, files)
			}
			for _, b := range tensors[:i] {
				apart := a.File != b.File || a.Size == 0 || b.Size == 0 || a.Offset >= b.Offset+b.Size || b.Offset >= a.Offset+a.Size
				if !apart && !tied(a, b) {
					t.Errorf("accepted %+v and %+v", a, b)
				}
			}
		}
	})
}

// oneCorrupt checks that an error blames the file.
func oneCorrupt(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v: not ErrCorrupt", err)
	}
}
