package torchfile

import "strings"

// storageType returns the element type of a storage class that a pickle may
// name; the type of an untyped storage is "".
func storageType(name string) (dtype string, ok bool) {
	switch name {
	case "torch.HalfStorage":
		return "float16", true
	case "torch.BFloat16Storage":
		return "bfloat16", true
	case "torch.FloatStorage":
		return "float32", true
	case "torch.DoubleStorage":
		return "float64", true
	case "torch.CharStorage":
		return "int8", true
	case "torch.ByteStorage":
		return "uint8", true
	case "torch.ShortStorage":
		return "int16", true
	case "torch.IntStorage":
		return "int32", true
	case "torch.LongStorage":
		return "int64", true
	case "torch.BoolStorage":
		return "bool", true
	case "torch.ComplexFloatStorage":
		return "complex64", true
	case "torch.storage.UntypedStorage":
		return "", true
	}
	return "", false
}

// elementSize returns the size in bytes of an element of a torch.dtype that a
// pickle may name.
func elementSize(dtype string) (size int64, ok bool) {
	switch dtype {
	case "int8", "uint8", "bool", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu":
		return 1, true
	case "float16", "bfloat16", "int16", "uint16":
		return 2, true
	case "float32", "int32", "uint32":
		return 4, true
	case "float64", "int64", "uint64", "complex64":
		return 8, true
	}
	return 0, false
}

// allowed reports whether a pickle may import a name.
func allowed(name string) bool {
	switch name {
	case "collections.OrderedDict", "torch.Size",
		"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter":
		return true
	}
	if _, ok := storageType(name); ok {
		return true
	}
	dtype, ok := strings.CutPrefix(name, "torch.")
	if ok {
		_, ok = elementSize(dtype)
	}
	return ok
}
