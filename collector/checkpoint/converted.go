package checkpoint

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// converted is a source that converts the floating-point tensors of another
// source to one type, and passes other tensors through.
type converted struct {
	source
	specs []spec    // after the conversion
	steps []step    // by the tensor's number
	bufs  sync.Pool // of *[]byte
}

// step is the conversion of one tensor.
type step struct {
	convert   conversion // nil for a tensor that passes through
	from, to  int64      // bytes per element
	overflows *atomic.Int64
}

var _ source = (*converted)(nil)

// convertSpecs returns specs with the floating-point tensors in another type.
func convertSpecs(specs []spec, to DType) ([]spec, error) {
	target := to == Float16 || to == BFloat16 || to == Float32
	out := make([]spec, len(specs))
	for i, s := range specs {
		out[i] = s
		if !s.dtype.Float() || s.dtype == to {
			continue
		}
		if !target {
			return nil, fmt.Errorf("cannot convert tensor %q from %s to %s: use dtype float16, bfloat16, float32 or auto", clip(s.name), s.dtype, to)
		}
		if !s.dtype.convertible() {
			return nil, fmt.Errorf("cannot convert tensor %q from %s: use dtype auto", clip(s.name), s.dtype)
		}
		if s.size%s.dtype.Size() != 0 {
			return nil, corrupt("tensor %q has %d bytes, which is not a multiple of the size of %s", clip(s.name), s.size, s.dtype)
		}
		size, ok := mul(s.size/s.dtype.Size(), to.Size())
		if !ok {
			return nil, corrupt("tensor %q is too large to convert to %s", clip(s.name), to)
		}
		out[i].dtype, out[i].size = to, size
	}
	for i, s := range specs {
		// The same bytes read as two types become two tensors.
		if s.tiedTo >= 0 && specs[s.tiedTo].dtype != s.dtype {
			out[i].tiedTo = -1
		}
	}
	return out, nil
}

// convert returns a source that yields src's tensors as convertSpecs returned
// them.
func convert(src source, specs []spec) (*converted, error) {
	c := &converted{source: src, specs: specs, steps: make([]step, len(specs))}
	type pair struct{ from, to DType }
	known := map[pair]conversion{}
	for i, before := range src.tensors() {
		from, to := before.dtype, specs[i].dtype
		if from == to {
			continue
		}
		f, ok := known[pair{from, to}]
		if !ok {
			var err error
			if f, err = conversionBetween(from, to); err != nil {
				return nil, err
			}
			known[pair{from, to}] = f
		}
		c.steps[i] = step{f, from.Size(), to.Size(), new(atomic.Int64)}
	}
	return c, nil
}

func (c *converted) tensors() []spec { return c.specs }

// fill reads the elements that dst shows and converts them. Layouts align each
// tensor to the size of its elements, so no block begins or ends within one.
func (c *converted) fill(dst []byte, tensor int, off int64) error {
	s := c.steps[tensor]
	if s.convert == nil {
		return c.source.fill(dst, tensor, off)
	}
	src := c.buffer(int64(len(dst)) / s.to * s.from)
	defer c.bufs.Put(src)
	if err := c.source.fill(*src, tensor, off/s.to*s.from); err != nil {
		return err
	}
	s.overflows.Add(s.convert(dst, *src))
	return nil
}

func (c *converted) buffer(n int64) *[]byte {
	if b, ok := c.bufs.Get().(*[]byte); ok && int64(cap(*b)) >= n {
		*b = (*b)[:n]
		return b
	}
	b := make([]byte, n)
	return &b
}

// overflowed returns the number of finite values that became infinite so far,
// by tensor. Tensors without any are left out.
func (c *converted) overflowed() map[string]int64 {
	counts := map[string]int64{}
	for i, s := range c.steps {
		if s.overflows != nil && s.overflows.Load() > 0 {
			counts[c.specs[i].name] = s.overflows.Load()
		}
	}
	return counts
}
