package checkpoint

import (
	"fmt"
	"math"
	"strings"
)

// Sizes come from files, so arithmetic on them reports overflow of 63 bits. The
// operands are never negative.

// mul returns a × b, and false if it overflows.
func mul(a, b int64) (int64, bool) {
	if a != 0 && b > math.MaxInt64/a {
		return 0, false
	}
	return a * b, true
}

// add returns a + b, and false if it overflows.
func add(a, b int64) (int64, bool) {
	if b > math.MaxInt64-a {
		return 0, false
	}
	return a + b, true
}

// elements returns the number of elements of a shape, and false if it
// overflows. A scalar has one.
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

// denseBytes returns the size in bytes of a tensor without gaps, and false if
// it overflows.
func denseBytes(shape []int64, d DType) (int64, bool) {
	n, ok := elements(shape)
	if !ok {
		return 0, false
	}
	return mul(n, d.Size())
}

// viewBytes returns how many bytes a strided tensor spans from its first
// element to the end of its last, and false if it overflows.
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

// denseStride appends to list the strides of a dense tensor in row-major order.
// A dimension of length 0 counts as 1, as in torch.
func denseStride(list, shape []int64) []int64 {
	first := len(list)
	list = append(list, shape...)
	stride := list[first:]
	step := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		stride[i] = step
		// It overflows only for an empty tensor, whose strides are never used.
		step *= max(shape[i], 1)
	}
	return list
}

// isDense reports whether the elements are in row-major order without gaps. The
// stride of a dimension of length 1 has no effect and may be anything.
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

// roundUp rounds n up to a multiple of m.
func roundUp(n, m int64) int64 { return (n + m - 1) / m * m }

// dims formats at most eight dimensions of a shape.
func dims(shape []int64) string {
	if len(shape) > 8 {
		return strings.TrimSuffix(fmt.Sprint(shape[:8]), "]") + " …]"
	}
	return fmt.Sprint(shape)
}
