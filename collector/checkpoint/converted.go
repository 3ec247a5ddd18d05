package checkpoint

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// converted is a source whose floating-point tensors are turned into another
// type on their way. Tensors of other types go through as they are.
type converted struct {
	source
	specs []spec // as they come out
	ways  []way
	bufs  sync.Pool // of *[]byte
}

// way is what is done with one tensor.
type way struct {
	convert   conversion // nil: nothing
	from, to  int64      // bytes an element
	overflows *atomic.Int64
}

var _ source = (*converted)(nil)

// convertSpecs gives the tensors at another type.
func convertSpecs(specs []spec, to DType) ([]spec, error) {
	target := to == Float16 || to == BFloat16 || to == Float32
	out := make([]spec, len(specs))
	for i, s := range specs {
		out[i] = s
		if !s.dtype.Float() || s.dtype == to {
			continue
		}
		if !target {
			return nil, fmt.Errorf("tensor %q is %s, and nothing is converted to %s: use --dtype float16, bfloat16, float32 or auto", clip(s.name), s.dtype, to)
		}
		if !s.dtype.convertible() {
			return nil, fmt.Errorf("tensor %q is %s, which is not converted: use --dtype auto", clip(s.name), s.dtype)
		}
		if s.size%s.dtype.Size() != 0 {
			return nil, corrupt("tensor %q is %d bytes, no multiple of its %s", clip(s.name), s.size, s.dtype)
		}
		size, ok := mul(s.size/s.dtype.Size(), to.Size())
		if !ok {
			return nil, corrupt("tensor %q would be too large in %s", clip(s.name), to)
		}
		out[i].dtype, out[i].size = to, size
	}
	for i, s := range specs {
		// One stretch of bytes seen as two types is two tensors from now on.
		if s.tiedTo >= 0 && specs[s.tiedTo].dtype != s.dtype {
			out[i].tiedTo = -1
		}
	}
	return out, nil
}

// convert turns the source's tensors into those that convertSpecs made of
// them.
func convert(src source, specs []spec) (*converted, error) {
	c := &converted{source: src, specs: specs, ways: make([]way, len(specs))}
	type pair struct{ from, to DType }
	known := map[pair]conversion{}
	for i, before := range src.tensors() {
		from, to := before.dtype, specs[i].dtype
		if from == to {
			continue
		}
		do, ok := known[pair{from, to}]
		if !ok {
			var err error
			if do, err = findConversion(from, to); err != nil {
				return nil, err
			}
			known[pair{from, to}] = do
		}
		c.ways[i] = way{do, from.Size(), to.Size(), new(atomic.Int64)}
	}
	return c, nil
}

func (c *converted) tensors() []spec { return c.specs }

// fill reads the elements that dst is to show and converts them. Layouts align
// a tensor to its elements, so no block begins or ends within one.
func (c *converted) fill(dst []byte, tensor int, off int64) error {
	w := c.ways[tensor]
	if w.convert == nil {
		return c.source.fill(dst, tensor, off)
	}
	src := c.buffer(int64(len(dst)) / w.to * w.from)
	defer c.bufs.Put(src)
	if err := c.source.fill(*src, tensor, off/w.to*w.from); err != nil {
		return err
	}
	w.overflows.Add(w.convert(dst, *src))
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

// overflowed counts, by tensor, the finite values that became infinite so far.
func (c *converted) overflowed() map[string]int64 {
	counts := map[string]int64{}
	for i, w := range c.ways {
		if w.overflows != nil && w.overflows.Load() > 0 {
			counts[c.specs[i].name] = w.overflows.Load()
		}
	}
	return counts
}
