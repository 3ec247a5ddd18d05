package checkpoint

import "fmt"

// DType is the type of a tensor's elements.
type DType uint8

// The types that checkpoints are known to hold.
const (
	invalid DType = iota
	Bool
	Uint8
	Int8
	Int16
	Uint16
	Float16
	BFloat16
	Int32
	Uint32
	Float32
	Int64
	Uint64
	Float64
	Float8E4M3
	Float8E5M2
)

// dtypes gives each type its names, torch's and the safetensors header's, and
// its size in bytes.
var dtypes = [...]struct {
	name, header string
	size         int64
}{
	Bool:       {"bool", "BOOL", 1},
	Uint8:      {"uint8", "U8", 1},
	Int8:       {"int8", "I8", 1},
	Int16:      {"int16", "I16", 2},
	Uint16:     {"uint16", "U16", 2},
	Float16:    {"float16", "F16", 2},
	BFloat16:   {"bfloat16", "BF16", 2},
	Int32:      {"int32", "I32", 4},
	Uint32:     {"uint32", "U32", 4},
	Float32:    {"float32", "F32", 4},
	Int64:      {"int64", "I64", 8},
	Uint64:     {"uint64", "U64", 8},
	Float64:    {"float64", "F64", 8},
	Float8E4M3: {"float8_e4m3fn", "F8_E4M3", 1},
	Float8E5M2: {"float8_e5m2", "F8_E5M2", 1},
}

// String is torch's name without its prefix: float16.
func (t DType) String() string {
	if t == invalid || int(t) >= len(dtypes) {
		return fmt.Sprintf("dtype(%d)", uint8(t))
	}
	return dtypes[t].name
}

// Size is the bytes of one element.
func (t DType) Size() int64 { return dtypes[t].size }

// Float says that the type is one that weights are converted between.
func (t DType) Float() bool {
	return t == Float16 || t == BFloat16 || t == Float32 || t == Float64
}

// ParseDType reads a type's name as String writes it.
func ParseDType(s string) (DType, error) {
	for t := Bool; int(t) < len(dtypes); t++ {
		if dtypes[t].name == s {
			return t, nil
		}
	}
	return invalid, fmt.Errorf("unknown dtype %q", s)
}

func parseHeaderDType(s string) (DType, error) {
	for t := Bool; int(t) < len(dtypes); t++ {
		if dtypes[t].header == s {
			return t, nil
		}
	}
	return invalid, fmt.Errorf("unknown dtype %q", s)
}
