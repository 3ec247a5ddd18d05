package inference

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
	"github.com/sllmq/sllmq/internal/float16"
)

// matrix is a two-dimensional weight, used in place.
type matrix struct {
	rows, cols int
	kind       elementKind
	data       []byte       // in memory
	at         cuda.Pointer // on a GPU
}

// weights finds tensors and checks their shapes. Its first error sticks; results
// after it are invalid.
type weights struct {
	lookup Lookup
	err    error
}

// find finds a tensor by its name, or by its name in a checkpoint of the model
// without its head.
func (w *weights) find(name string) (Tensor, bool) {
	if t, ok := w.lookup(name); ok {
		return t, true
	}
	if short, ok := strings.CutPrefix(name, "model."); ok {
		return w.lookup(short)
	}
	return Tensor{}, false
}

func (w *weights) has(name string) bool {
	_, ok := w.find(name)
	return ok
}

func (w *weights) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// matrix finds a tensor of two dimensions.
func (w *weights) matrix(name string, rows, cols int) matrix {
	t, ok := w.find(name)
	if !ok {
		w.fail("the checkpoint has no tensor %s", name)
		return matrix{}
	}
	kind, ok := kindOf(t.DType)
	if !ok {
		if w.err == nil {
			w.err = &UnsupportedError{"weights in " + t.DType}
		}
		return matrix{}
	}
	if len(t.Shape) != 2 || t.Shape[0] != int64(rows) || t.Shape[1] != int64(cols) || t.bytes() != int64(rows)*int64(cols)*kind.size() {
		w.fail("tensor %s has shape %v and %d bytes, but config.json requires %d × %d", name, t.Shape, t.bytes(), rows, cols)
		return matrix{}
	}
	return matrix{rows, cols, kind, t.Data, t.Device}
}

// vector is a one-dimensional weight.
type vector struct {
	n      int
	values []float32 // a copy, for the CPU
	kind   elementKind
	at     cuda.Pointer // on a GPU
}

// vector finds a tensor of one dimension.
func (w *weights) vector(name string, n int) *vector {
	t, ok := w.find(name)
	if !ok {
		w.fail("the checkpoint has no tensor %s", name)
		return nil
	}
	kind, ok := kindOf(t.DType)
	if !ok || len(t.Shape) != 1 || t.Shape[0] != int64(n) || t.bytes() != int64(n)*kind.size() {
		w.fail("tensor %s is %s with shape %v and %d bytes, but config.json requires %d", name, t.DType, t.Shape, t.bytes(), n)
		return nil
	}
	v := &vector{n: n, kind: kind, at: t.Device}
	if t.Data != nil {
		v.values = make([]float32, n)
		kind.widen(v.values, t.Data)
	}
	return v
}

// frequencies returns the frequencies of c, for rotate.
func (w *weights) frequencies(c *config) *vector {
	f, err := c.frequencies()
	if err != nil && w.err == nil {
		w.err = err
	}
	v := &vector{n: len(f), values: make([]float32, len(f))}
	for i := range f {
		v.values[i] = float32(f[i])
	}
	return v
}

// optional is like vector, but returns nil for a missing tensor.
func (w *weights) optional(name string, n int) *vector {
	if !w.has(name) {
		return nil
	}
	return w.vector(name, n)
}

// bias is like vector, but returns nil for a layer without a bias.
func (w *weights) bias(has bool, name string, n int) *vector {
	if !has {
		return nil
	}
	return w.vector(name, n)
}

// row widens row i of the matrix to dst.
func (m matrix) row(dst []float32, i int) {
	size := int64(m.cols) * m.kind.size()
	m.kind.widen(dst, m.data[int64(i)*size:(int64(i)+1)*size])
}

// elementKind is the type of a weight's elements. kernel.c and kernels.cu use
// the same numbers.
type elementKind int32

const (
	float32Kind elementKind = iota
	float16Kind
	bfloat16Kind
)

func kindOf(dtype string) (elementKind, bool) {
	switch dtype {
	case "float32":
		return float32Kind, true
	case "float16":
		return float16Kind, true
	case "bfloat16":
		return bfloat16Kind, true
	}
	return 0, false
}

func (k elementKind) size() int64 {
	if k == float32Kind {
		return 4
	}
	return 2
}

// widen converts elements to float32, which is exact.
func (k elementKind) widen(dst []float32, src []byte) {
	for i := range dst {
		switch k {
		case float32Kind:
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		case bfloat16Kind:
			dst[i] = math.Float32frombits(float16.WidenBFloat16(binary.LittleEndian.Uint16(src[2*i:])))
		default:
			dst[i] = math.Float32frombits(float16.Widen(binary.LittleEndian.Uint16(src[2*i:])))
		}
	}
}
