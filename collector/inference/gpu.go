package inference

import (
	_ "embed"
	"errors"
	"fmt"
	"unsafe"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
)

//go:embed kernels.cu
var kernelSource string

// Compiler compiles CUDA C++ for a compute capability: nvrtc.Compiler.
type Compiler interface {
	Compile(name, source string, major, minor int) ([]byte, error)
}

// GPU is a device with the kernels that models run by.
type GPU struct {
	context *cuda.Context
	stream  *cuda.Stream
	module  *cuda.Module
	kernels map[string]*cuda.Kernel
}

// kernelNames are those of kernels.cu.
var kernelNames = []string{"embed", "place", "multiply", "add", "scale", "relu", "soft_cap", "gate", "pick", "rms_norm", "layer_norm", "rotate", "remember", "attend"}

// NewGPU compiles the kernels for the context's device and loads them.
func NewGPU(c *cuda.Context, compiler Compiler) (_ *GPU, err error) {
	major, minor, err := c.Device().Compute()
	if err != nil {
		return nil, err
	}
	code, err := compiler.Compile("kernels.cu", kernelSource, major, minor)
	if err != nil {
		return nil, fmt.Errorf("compile the kernels of inference: %w", err)
	}
	g := &GPU{context: c, kernels: map[string]*cuda.Kernel{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	if g.module, err = c.LoadModule(code); err != nil {
		return nil, fmt.Errorf("load the kernels of inference: %w", err)
	}
	for _, name := range kernelNames {
		if g.kernels[name], err = g.module.Kernel(name); err != nil {
			return nil, fmt.Errorf("find kernel %s: %w", name, err)
		}
	}
	g.stream, err = c.NewStream()
	return g, err
}

// Close gives back what NewGPU took.
func (g *GPU) Close() error {
	var errs []error
	if g.stream != nil {
		errs = append(errs, g.stream.Close())
	}
	if g.module != nil {
		errs = append(errs, g.module.Close())
	}
	return errors.Join(errs...)
}

// gpu carries a program out on a device.
type gpu struct {
	*GPU
	program  *program
	capacity int // tokens that the caches have room for
	tokens   int // of the batch
	at       int // tokens that the caches hold besides the batch's
	slots    []cuda.Pointer
	keys     []cuda.Pointer // a layer's, one token after another
	values   []cuda.Pointer
	turns    map[*vector]cuda.Pointer // frequencies, which no checkpoint holds
	scores   cuda.Pointer
	batch    cuda.Pointer // a batchHead
	answer   []float32
	held     []cuda.Pointer // all of the above
	decode   *cuda.Graph    // the body for one token
}

// batchHead is what the kernels of a batch read of it.
type batchHead struct {
	at     int64 // the first token's position
	tokens [maxBatch]int32
}

// tokensAt is where a batchHead's tokens lie in it.
const tokensAt = cuda.Pointer(unsafe.Offsetof(batchHead{}.tokens))

var _ processor = (*gpu)(nil)

// blockThreads is how many threads a block has.
const blockThreads = 256

func newGPU(g *GPU, p *program, capacity int) (_ *gpu, err error) {
	r := &gpu{GPU: g, program: p, capacity: capacity, turns: map[*vector]cuda.Pointer{}, answer: make([]float32, p.slots[p.logits])}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	for i, width := range p.slots {
		at, err := r.room(p.rowsOf(slot(i)) * width)
		if err != nil {
			return nil, err
		}
		r.slots = append(r.slots, at)
	}
	heads := 0
	for _, s := range p.body {
		switch s := s.(type) {
		case attend:
			for _, cache := range []*[]cuda.Pointer{&r.keys, &r.values} {
				at, err := r.room(capacity * s.kvHeads * s.size)
				if err != nil {
					return nil, err
				}
				*cache = append(*cache, at)
			}
			heads = max(heads, s.heads)
		case rotate:
			if r.turns[s.frequencies] != 0 {
				continue
			}
			values := s.frequencies.values
			at, err := r.room(len(values))
			if err != nil {
				return nil, err
			}
			if err := g.context.CopyToDevice(at, bytesOf(values)); err != nil {
				return nil, err
			}
			r.turns[s.frequencies] = at
		}
	}
	if r.scores, err = r.room(maxBatch * heads * capacity); err != nil {
		return nil, err
	}
	r.batch, err = r.room(int(unsafe.Sizeof(batchHead{}) / 4))
	return r, err
}

// room reserves memory for n values of four bytes.
func (r *gpu) room(n int) (cuda.Pointer, error) {
	at, err := r.context.Alloc(4 * int64(n))
	if err != nil {
		return 0, fmt.Errorf("reserve %d bytes of the device for inference: %w", 4*n, err)
	}
	r.held = append(r.held, at)
	return at, nil
}

func (r *gpu) close() error {
	// Nothing is under way any more when its memory goes, also after a failure.
	errs := []error{r.stream.Synchronize()}
	if r.decode != nil {
		errs = append(errs, r.decode.Close())
	}
	for _, at := range r.held {
		errs = append(errs, r.context.Free(at))
	}
	r.held, r.decode = nil, nil
	return errors.Join(errs...)
}

func (r *gpu) forward(tokens []int32) error {
	r.at += r.tokens
	r.tokens = len(tokens)
	if r.at+r.tokens > r.capacity {
		return fmt.Errorf("%d tokens: there is room for %d", r.at+r.tokens, r.capacity)
	}
	head := batchHead{at: int64(r.at)}
	copy(head.tokens[:], tokens)
	// What the stream still does of the last batch reads the last head.
	if err := r.stream.Synchronize(); err != nil {
		return err
	}
	if err := r.context.CopyToDevice(r.batch, unsafe.Slice((*byte)(unsafe.Pointer(&head)), unsafe.Sizeof(head))); err != nil {
		return err
	}
	if len(tokens) > 1 {
		return r.do(r.program.body, len(tokens))
	}
	if r.decode == nil {
		var err error
		if r.decode, err = r.stream.Record(func() error { return r.do(r.program.body, 1) }); err != nil {
			return err
		}
	}
	return r.decode.Launch(r.stream)
}

func (r *gpu) logits(i int) ([]float32, error) {
	p := r.program
	width := int64(p.slots[p.last])
	if err := r.launch("pick", each(width), r.slots[p.last], r.slots[p.hidden], int32(i), width); err != nil {
		return nil, err
	}
	if err := r.do(p.head, 1); err != nil {
		return nil, err
	}
	if err := r.stream.Synchronize(); err != nil {
		return nil, err
	}
	return r.answer, r.context.CopyFromDevice(bytesOf(r.answer), r.slots[p.logits])
}

func (r *gpu) do(steps []step, n int) error {
	for _, s := range steps {
		if err := r.step(s, n); err != nil {
			return fmt.Errorf("step %T: %w", s, err)
		}
	}
	return nil
}

// step puts a step into the stream.
func (r *gpu) step(s step, n int) error {
	values := func(s slot) int64 { return int64(n * r.program.slots[s]) }
	switch s := s.(type) {
	case embed:
		return r.launch("embed", each(values(s.dst)), r.slots[s.dst], s.table.at, s.table.kind, int32(s.table.cols), r.batch+tokensAt, int32(n))
	case place:
		return r.launch("place", each(values(s.dst)), r.slots[s.dst], s.table.at, s.table.kind, int32(s.table.cols), r.batch, int32(s.offset), int32(n))
	case multiply:
		var bias vector
		if s.bias != nil {
			bias = *s.bias
		}
		const warps = blockThreads / 32
		return r.launch("multiply", (s.m.rows+warps-1)/warps, r.slots[s.dst], s.m.at, s.m.kind, int32(s.m.rows), int32(s.m.cols), r.slots[s.x], int32(n), bias.at, bias.kind)
	case add:
		return r.launch("add", each(values(s.dst)), r.slots[s.dst], r.slots[s.x], values(s.dst))
	case scale:
		return r.launch("scale", each(values(s.dst)), r.slots[s.dst], s.by, values(s.dst))
	case rmsNorm:
		width := s.weight.n
		vectors := values(s.x) / int64(width)
		return r.launch("rms_norm", int(vectors), r.slots[s.dst], r.slots[s.x], s.weight.at, s.weight.kind, int32(width), s.eps, s.shift, int32(vectors))
	case layerNorm:
		return r.launch("layer_norm", n, r.slots[s.dst], r.slots[s.x], s.weight.at, s.weight.kind, s.bias.at, s.bias.kind, int32(s.weight.n), float64(layerNormEps), int32(n))
	case rotate:
		half := s.frequencies.n
		return r.launch("rotate", each(int64(n*s.heads*half)), r.slots[s.dst], r.turns[s.frequencies], int32(half), int32(s.heads), r.batch, int32(n))
	case attend:
		if err := r.launch("remember", each(values(s.k)), r.keys[s.layer], r.values[s.layer], r.slots[s.k], r.slots[s.v], r.batch, int64(s.kvHeads*s.size), values(s.k)); err != nil {
			return err
		}
		return r.launch("attend", n*s.heads, r.slots[s.dst], r.slots[s.q], r.keys[s.layer], r.values[s.layer], r.scores, int64(r.capacity), r.batch, int32(n),
			int32(s.heads), int32(s.kvHeads), int32(s.size), s.scale, s.limit, int64(s.window))
	case relu:
		return r.launch("relu", each(values(s.dst)), r.slots[s.dst], values(s.dst))
	case gate:
		return r.launch("gate", each(values(s.dst)), r.slots[s.dst], r.slots[s.x], int32(s.activation), values(s.dst))
	case softCap:
		return r.launch("soft_cap", each(values(s.dst)), r.slots[s.dst], s.limit, values(s.dst))
	}
	return fmt.Errorf("the processor has no such step")
}

// each is the blocks that give each of n values a thread, as far as it is worth
// it.
func each(n int64) int {
	const most = 4096
	return int(min((n+blockThreads-1)/blockThreads, most))
}

// launch puts a kernel into the stream. The arguments' Go types have the sizes
// of the kernel's parameters.
func (r *gpu) launch(name string, blocks int, arguments ...any) error {
	values := make([]uint64, len(arguments))
	pointers := make([]unsafe.Pointer, len(arguments))
	for i, a := range arguments {
		pointers[i] = unsafe.Pointer(&values[i])
		switch a := a.(type) {
		case cuda.Pointer:
			*(*cuda.Pointer)(pointers[i]) = a
		case elementKind:
			*(*elementKind)(pointers[i]) = a
		case int32:
			*(*int32)(pointers[i]) = a
		case int64:
			*(*int64)(pointers[i]) = a
		case float32:
			*(*float32)(pointers[i]) = a
		case float64:
			*(*float64)(pointers[i]) = a
		default:
			return fmt.Errorf("kernel %s takes no %T", name, a)
		}
	}
	return r.kernels[name].Launch(r.stream, cuda.Launch{Grid: [3]uint32{uint32(blocks)}, Block: [3]uint32{blockThreads}}, pointers...)
}

// bytesOf is a slice's memory.
func bytesOf[T int32 | float32](values []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
}
