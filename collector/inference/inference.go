// Package inference generates a short text from loaded tensors, as evidence that
// a load brought a working model. It uses the tensors in place, in memory or on
// a GPU, without a second copy of the weights.
//
// New looks up the tensors that a model's config.json requires, checks their
// shapes, and translates the architecture into a program: a list of steps such
// as multiply and attend. A processor executes the program for one sequence,
// with a cache of keys and values, on the CPU (cpu.go) or on a GPU (gpu.go).
// Both compute in float32 from weights of float16, bfloat16 or float32.
//
// The architectures are OPT, Llama 2 and 3, Mistral, Qwen2, Qwen3 and Gemma 2,
// as implemented by transformers. The package works on token IDs; package
// tokenizer converts them from and to text.
package inference

import (
	"fmt"
	"runtime"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
)

// Tensor is a dense weight in row-major order.
type Tensor struct {
	DType  string // float16, bfloat16 or float32
	Shape  []int64
	Data   []byte       // little-endian; nil for a tensor on a GPU
	Device cuda.Pointer // of a tensor on a GPU
	Bytes  int64        // size of a tensor on a GPU
}

func (t Tensor) bytes() int64 {
	if t.Data == nil {
		return t.Bytes
	}
	return int64(len(t.Data))
}

// Lookup finds a weight by its name in Hugging Face's checkpoints.
type Lookup func(name string) (Tensor, bool)

// UnsupportedError reports a model that this package cannot run.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return "inference is not supported for " + e.What }

// Model is a network with its weights. It is not safe for concurrent use.
type Model struct {
	config  config
	program *program
	team    *team // if it runs on the CPU
	gpu     *GPU  // if it runs on a GPU
}

// New returns the model that config.json describes, to run on the CPU. The
// tensors must stay valid until Close. threads is the number of threads; 0 means
// one per CPU. The error is an *UnsupportedError if the package cannot run the
// model.
func New(configJSON []byte, lookup Lookup, threads int) (*Model, error) {
	m, err := newModel(configJSON, lookup)
	if err != nil {
		return nil, err
	}
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	m.team = newTeam(threads)
	return m, nil
}

// NewOnGPU is like New for tensors on a GPU, which runs the model. The model
// must be closed before g.
func NewOnGPU(configJSON []byte, lookup Lookup, g *GPU) (*Model, error) {
	m, err := newModel(configJSON, lookup)
	if err != nil {
		return nil, err
	}
	m.gpu = g
	return m, nil
}

func newModel(configJSON []byte, lookup Lookup) (*Model, error) {
	c, err := parseConfig(configJSON)
	if err != nil {
		return nil, err
	}
	w := &weights{lookup: lookup}
	m := &Model{config: c}
	switch c.architecture {
	case "OPTForCausalLM":
		m.program = newOPT(&c, w)
	case "Gemma2ForCausalLM":
		m.program = newGemma2(&c, w)
	default: // parseConfig refuses all others
		m.program = newLlama(&c, w)
	}
	return m, w.err
}

// CheckConfig checks whether the package can run the model of a config.json. If
// not, the error is an *UnsupportedError, or describes what is wrong with the
// file.
func CheckConfig(configJSON []byte) error {
	_, err := parseConfig(configJSON)
	return err
}

// newProcessor returns a processor for a sequence of at most the given number of
// tokens.
func (m *Model) newProcessor(tokens int) (processor, error) {
	if m.gpu != nil {
		return newGPU(m.gpu, m.program, tokens)
	}
	return newCPU(m.program, m.config.Layers, m.team), nil
}

// Close stops the model's threads.
func (m *Model) Close() {
	if m.team != nil {
		m.team.close()
	}
}

func (m *Model) check(tokens []int32) error {
	for _, t := range tokens {
		if t < 0 || int(t) >= m.config.VocabSize {
			return &UnsupportedError{fmt.Sprintf("token %d, which is outside the vocabulary of %d", t, m.config.VocabSize)}
		}
	}
	return nil
}
