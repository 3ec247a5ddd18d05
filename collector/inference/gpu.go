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

// Compiler compiles CUDA C++ for a compute capability. nvrtc.Compiler is one.
type Compiler interface {
	Compile(name, source string, major, minor int) ([]byte, error)
}

// GPU is a device with the loaded kernels of this package.
type GPU struct {
	context *cuda.Context
	stream  *cuda.Stream
	module  *cuda.Module
	kernels map[string]*cuda.Kernel
}

// kernelNames are the kernels in kernels.cu.
var kernelNames = []string{"embed", "add_position", "multiply", "add", "scale", "relu", "soft_cap", "gate", "copy_row", "rms_norm", "layer_norm", "rotate", "append_cache", "attend"}

// NewGPU compiles the kernels for the context's device and loads them. Close
// unloads them.
func NewGPU(c *cuda.Context, compiler Compiler) (_ *GPU, err error) {
	major, minor, err := c.Device().Compute()
	if err != nil {
		return nil, err
	}
	code, err := compiler.Compile("kernels.cu", kernelSource, major, minor)
	if err != nil {
		return nil, fmt.Errorf("compile the inference kernels: %w", err)
	}
	g := &GPU{context: c, kernels: map[string]*cuda.Kernel{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	if g.module, err = c.LoadModule(code); err != nil {
		return nil, fmt.Errorf("load the inference kernels: %w", err)
	}
	for _, name := range kernelNames {
		if g.kernels[name], err = g.module.Kernel(name); err != nil {
			return nil, fmt.Errorf("find kernel %s: %w", name, err)
		}
	}
	g.stream, err = c.NewStream()
	return g, err
}

// Close releases what NewGPU acquired. Models on the GPU must be closed first.
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

// gpu executes a program on a device.
type gpu struct {
	*GPU
	program     *program
	capacity    int // of the caches, in tokens
	tokens      int // in the batch
	at          int // the position of the batch's first token
	slots       []cuda.Pointer
	keys        []cuda.Pointer // the cache of each layer, token by token
	values      []cuda.Pointer
	frequencies map[*vector]cuda.Pointer // not in the checkpoint, unlike other weights
	scores      cuda.Pointer
	batch       cuda.Pointer // to a batchHeader
	answer      []float32
	allocated   []cuda.Pointer // all of the above
	decode      *cuda.Graph    // the body for one token
}

// batchHeader describes a batch to the kernels.
type batchHeader struct {
	at     int64 // the first token's position
	tokens [maxBatch]int32
}

// tokensOffset is the offset of a batchHeader's tokens.
const tokensOffset = cuda.Pointer(unsafe.Offsetof(batchHeader{}.tokens))

var _ processor = (*gpu)(nil)

// blockThreads is the number of threads per block.
const blockThreads = 256

func newGPU(g *GPU, p *program, capacity int) (_ *gpu, err error) {
	r := &gpu{GPU: g, program: p, capacity: capacity, frequencies: map[*vector]cuda.Pointer{}, answer: make([]float32, p.slots[p.logits])}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	for i, width := range p.slots {
		at, err := r.alloc(p.rowsOf(slot(i)) * width)
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
				at, err := r.alloc(capacity * s.kvHeads * s.size)
				if err != nil {
					return nil, err
				}
				*cache = append(*cache, at)
			}
			heads = max(heads, s.heads)
		case rotate:
			if r.frequencies[s.frequencies] != 0 {
				continue
			}
			values := s.frequencies.values
			at, err := r.alloc(len(values))
			if err != nil {
				return nil, err
			}
			if err := g.context.CopyToDevice(at, bytesOf(values)); err != nil {
				return nil, err
			}
			r.frequencies[s.frequencies] = at
		}
	}
	if r.scores, err = r.alloc(maxBatch * heads * capacity); err != nil {
		return nil, err
	}
	r.batch, err = r.alloc(int(unsafe.Sizeof(batchHeader{}) / 4))
	return r, err
}

// alloc allocates device memory for n values of four bytes.
func (r *gpu) alloc(n int) (cuda.Pointer, error) {
	at, err := r.context.Alloc(4 * int64(n))
	if err != nil {
		return 0, fmt.Errorf("allocate %d bytes on the device for inference: %w", 4*n, err)
	}
	r.allocated = append(r.allocated, at)
	return at, nil
}

func (r *gpu) close() error {
	// Kernels may still use the memory, even after a failure.
	errs := []error{r.stream.Synchronize()}
	if r.decode != nil {
		errs = append(errs, r.decode.Close())
	}
	for _, at := range r.allocated {
		errs = append(errs, r.context.Free(at))
	}
	r.allocated, r.decode = nil, nil
	return errors.Join(errs...)
}

func (r *gpu) forward(tokens []int32) error {
	r.at += r.tokens
	r.tokens = len(tokens)
	if r.at+r.tokens > r.capacity {
		return fmt.Errorf("%d tokens exceed the capacity of %d", r.at+r.tokens, r.capacity)
	}
	header := batchHeader{at: int64(r.at)}
	copy(header.tokens[:], tokens)
	// Kernels of the last batch may still read its header.
	if err := r.stream.Synchronize(); err != nil {
		return err
	}
	if err := r.context.CopyToDevice(r.batch, unsafe.Slice((*byte)(unsafe.Pointer(&header)), unsafe.Sizeof(header))); err != nil {
		return err
	}
	if len(tokens) > 1 {
		return r.execute(r.program.body, len(tokens))
	}
	if r.decode == nil {
		var err error
		if r.decode, err = r.stream.Record(func() error { return r.execute(r.program.body, 1) }); err != nil {
			return err
		}
	}
	return r.decode.Launch(r.stream)
}

func (r *gpu) logits(i int) ([]float32, error) {
	p := r.program
	width := int64(p.slots[p.last])
	if err := r.launch("copy_row", blocksFor(width), r.slots[p.last], r.slots[p.hidden], int32(i), width); err != nil {
		return nil, err
	}
	if err := r.execute(p.head, 1); err != nil {
		return nil, err
	}
	if err := r.stream.Synchronize(); err != nil {
		return nil, err
	}
	return r.answer, r.context.CopyFromDevice(bytesOf(r.answer), r.slots[p.logits])
}

// execute submits steps for n tokens to the stream.
func (r *gpu) execute(steps []step, n int) error {
	for _, s := range steps {
		if err := r.submit(s, n); err != nil {
			return fmt.Errorf("step %T: %w", s, err)
		}
	}
	return nil
}

// submit submits a step for n tokens to the stream.
func (r *gpu) submit(s step, n int) error {
	values := func(s slot) int64 { return int64(n * r.program.slots[s]) }
	switch s := s.(type) {
	case embed:
		return r.launch("embed", blocksFor(values(s.dst)), r.slots[s.dst], s.table.at, s.table.kind, int32(s.table.cols), r.batch+tokensOffset, int32(n))
	case addPosition:
		return r.launch("add_position", blocksFor(values(s.dst)), r.slots[s.dst], s.table.at, s.table.kind, int32(s.table.cols), r.batch, int32(s.offset), int32(n))
	case multiply:
		var bias vector
		if s.bias != nil {
			bias = *s.bias
		}
		const warps = blockThreads / 32
		return r.launch("multiply", (s.m.rows+warps-1)/warps, r.slots[s.dst], s.m.at, s.m.kind, int32(s.m.rows), int32(s.m.cols), r.slots[s.x], int32(n), bias.at, bias.kind)
	case add:
		return r.launch("add", blocksFor(values(s.dst)), r.slots[s.dst], r.slots[s.x], values(s.dst))
	case scale:
		return r.launch("scale", blocksFor(values(s.dst)), r.slots[s.dst], s.factor, values(s.dst))
	case rmsNorm:
		width := s.weight.n
		vectors := values(s.x) / int64(width)
		return r.launch("rms_norm", int(vectors), r.slots[s.dst], r.slots[s.x], s.weight.at, s.weight.kind, int32(width), s.eps, s.shift, int32(vectors))
	case layerNorm:
		return r.launch("layer_norm", n, r.slots[s.dst], r.slots[s.x], s.weight.at, s.weight.kind, s.bias.at, s.bias.kind, int32(s.weight.n), float64(layerNormEps), int32(n))
	case rotate:
		half := s.frequencies.n
		return r.launch("rotate", blocksFor(int64(n*s.heads*half)), r.slots[s.dst], r.frequencies[s.frequencies], int32(half), int32(s.heads), r.batch, int32(n))
	case attend:
		if err := r.launch("append_cache", blocksFor(values(s.k)), r.keys[s.layer], r.values[s.layer], r.slots[s.k], r.slots[s.v], r.batch, int64(s.kvHeads*s.size), values(s.k)); err != nil {
			return err
		}
		return r.launch("attend", n*s.heads, r.slots[s.dst], r.slots[s.q], r.keys[s.layer], r.values[s.layer], r.scores, int64(r.capacity), r.batch, int32(n),
			int32(s.heads), int32(s.kvHeads), int32(s.size), s.scale, s.limit, int64(s.window))
	case relu:
		return r.launch("relu", blocksFor(values(s.dst)), r.slots[s.dst], values(s.dst))
	case gate:
		return r.launch("gate", blocksFor(values(s.dst)), r.slots[s.dst], r.slots[s.x], int32(s.activation), values(s.dst))
	case softCap:
		return r.launch("soft_cap", blocksFor(values(s.dst)), r.slots[s.dst], s.limit, values(s.dst))
	}
	return errors.New("unknown step")
}

// blocksFor returns the number of blocks for n values: one thread per value, up
// to the number of blocks that saturates a device.
func blocksFor(n int64) int {
	const enough = 4096
	return int(min((n+blockThreads-1)/blockThreads, enough))
}

// launch submits a kernel to the stream. The arguments must have the sizes of
// the kernel's parameters.
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
			return fmt.Errorf("kernel %s: invalid argument type %T", name, a)
		}
	}
	return r.kernels[name].Launch(r.stream, cuda.Launch{Grid: [3]uint32{uint32(blocks)}, Block: [3]uint32{blockThreads}}, pointers...)
}

// bytesOf returns a slice's memory.
func bytesOf[T int32 | float32](values []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
}
