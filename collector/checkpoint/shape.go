package checkpoint

import "math"

// The sums here come from files, so each says whether it fits 63 bits. Their
// operands are never negative.

// mul is a × b, or false if it overflows.
func mul(a, b int64) (int64, bool) {
	if a != 0 && b > math.MaxInt64/a {
		return 0, false
	}
	return a * b, true
}

// add is a + b, or false if it overflows.
func add(a, b int64) (int64, bool) {
	if b > math.MaxInt64-a {
		return 0, false
	}
	return a + b, true
}

// elements is how many elements a shape has; a scalar has one.
func elements(shape []int64) (int64, bool) {
	n := int64(1)
	ok := true
	for _, dim := range shape {
		if dim == 0 {
			return 0, true
		}
		if ok {
			n, ok = mul(n, dim)
		}
	}
	return n, ok
}

// denseBytes is how many bytes a tensor takes whose elements lie without a
// gap.
func denseBytes(shape []int64, d DType) (int64, bool) {
	n, ok := elements(shape)
	if !ok {
		return 0, false
	}
	return mul(n, d.Size())
}

// viewBytes is how far from its first byte a strided tensor reaches.
func viewBytes(shape, stride []int64, d DType) (int64, bool) {
	if n, ok := elements(shape); ok && n == 0 {
		return 0, true
	}
	reach := int64(1)
	for i, dim := range shape {
		step, ok := mul(dim-1, stride[i])
		if !ok {
			return 0, false
		}
		if reach, ok = add(reach, step); !ok {
			return 0, false
		}
	}
	return mul(reach, d.Size())
}

// denseStride appends to list the strides of a tensor in row-major order
// without gaps. A dimension of length 0 counts as 1, as torch does it.
func denseStride(list, shape []int64) []int64 {
	first := len(list)
	list = append(list, shape...)
	stride := list[first:]
	step := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		stride[i] = step
		// Wraps only for a shape with a zero in it, whose strides are never used.
		step *= max(shape[i], 1)
	}
	return list
}

// isDense says whether the elements lie in row-major order without gaps. The
// stride of a dimension of length one moves nothing and may be anything.
func isDense(shape, stride []int64) bool {
	step := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] == 0 {
			return true
		}
		if shape[i] != 1 && stride[i] != step {
			return false
		}
		step *= shape[i]
	}
	return true
}

// roundUp is n raised to a multiple of m.
func roundUp(n, m int64) int64 { return (n + m - 1) / m * m }
