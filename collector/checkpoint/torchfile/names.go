package torchfile

// storageTypes are the storages that a pickle may name, by their elements.
func storageTypes(name string) (dtype string, ok bool) {
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

// elementTypes are the torch.dtypes that a pickle may name, with the bytes of
// an element.
func elementTypes(dtype string) (size int64, ok bool) {
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

// known says whether a pickle may ask for a name at all.
func known(name string) bool {
	switch name {
	case "collections.OrderedDict", "torch.Size",
		"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter":
		return true
	}
	if _, ok := storageTypes(name); ok {
		return true
	}
	if len(name) > 6 && name[:6] == "torch." {
		_, ok := elementTypes(name[6:])
		return ok
	}
	return false
}
