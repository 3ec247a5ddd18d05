package checkpoint

import "fmt"

// DType is the type of a tensor's elements. The zero value is not a type.
type DType uint8

// The element types that both formats can name, after torch's attributes.
const (
	Float16 DType = iota + 1
	BFloat16
	Float32
	Float64
	Int8
	UInt8
	Int16
	UInt16
	Int32
	UInt32
	Int64
	UInt64
	Bool
	Float8E4M3FN
	Float8E5M2
	Float8E8M0FNU
	Complex64
)

// dtypeRow describes one DType.
type dtypeRow struct {
	name        string // torch's attribute, without "torch."
	safetensors string
	size        int64 // bytes per element
	float       bool  // --dtype applies
}

// row looks up a type. It is a switch rather than a table so that nothing can
// change it at run time. The safetensors names are those of the Dtype enum in
// the safetensors crate. Types of less than a byte per element (F4, F6) are
// unsupported, since no byte offset can address one of their elements.
func (d DType) row() dtypeRow {
	switch d {
	case Float16:
		return dtypeRow{"float16", "F16", 2, true}
	case BFloat16:
		return dtypeRow{"bfloat16", "BF16", 2, true}
	case Float32:
		return dtypeRow{"float32", "F32", 4, true}
	case Float64:
		return dtypeRow{"float64", "F64", 8, true}
	case Int8:
		return dtypeRow{"int8", "I8", 1, false}
	case UInt8:
		return dtypeRow{"uint8", "U8", 1, false}
	case Int16:
		return dtypeRow{"int16", "I16", 2, false}
	case UInt16:
		return dtypeRow{"uint16", "U16", 2, false}
	case Int32:
		return dtypeRow{"int32", "I32", 4, false}
	case UInt32:
		return dtypeRow{"uint32", "U32", 4, false}
	case Int64:
		return dtypeRow{"int64", "I64", 8, false}
	case UInt64:
		return dtypeRow{"uint64", "U64", 8, false}
	case Bool:
		return dtypeRow{"bool", "BOOL", 1, false}
	case Float8E4M3FN:
		return dtypeRow{"float8_e4m3fn", "F8_E4M3", 1, true}
	case Float8E5M2:
		return dtypeRow{"float8_e5m2", "F8_E5M2", 1, true}
	case Float8E8M0FNU:
		return dtypeRow{"float8_e8m0fnu", "F8_E8M0", 1, true}
	case Complex64:
		return dtypeRow{"complex64", "C64", 8, false}
	}
	return dtypeRow{name: fmt.Sprintf("DType(%d)", uint8(d))}
}

// DTypes returns all element types.
func DTypes() []DType {
	all := make([]DType, 0, int(Complex64))
	for d := Float16; d <= Complex64; d++ {
		all = append(all, d)
	}
	return all
}

// String returns torch's name without its package, as in float16.
func (d DType) String() string { return d.row().name }

// Torch returns the name in an sllm index, as in torch.float16.
func (d DType) Torch() string { return "torch." + d.row().name }

// SafeTensors returns the name in a safetensors header, as in F16.
func (d DType) SafeTensors() string { return d.row().safetensors }

// Size returns the size of an element in bytes.
func (d DType) Size() int64 { return d.row().size }

// Float reports whether the type is a floating-point type. --dtype applies to
// these; tensors of other types keep their type.
func (d DType) Float() bool { return d.row().float }

// ParseDType returns the type that String names.
func ParseDType(name string) (DType, error) {
	return findDType(name, DType.String)
}

func parseTorch(name string) (DType, error) { return findDType(name, DType.Torch) }

func parseSafeTensors(name string) (DType, error) { return findDType(name, DType.SafeTensors) }

// findDType returns the type that has a name in the given spelling.
func findDType(name string, spelling func(DType) string) (DType, error) {
	for d := Float16; d <= Complex64; d++ {
		if spelling(d) == name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("unknown dtype %q", name)
}
