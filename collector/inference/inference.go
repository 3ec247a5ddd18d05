// Package inference generates a short text from tensors where they lie in
// memory, with no second copy of the weights: the proof that a load brought a
// model. It computes in float32 from weights of float16, bfloat16 or float32,
// on the CPU, one sequence at a time, with a cache of keys and values.
//
// It knows OPT, Llama 2 and 3, Mistral, Qwen2, Qwen3 and Gemma 2, as
// transformers implements them, and works on token ids.
package inference

import (
	"fmt"
	"runtime"

	"github.com/sllmq/sllmq/collector/nvidia/cuda"
)

// Tensor is a weight in memory, in row-major order without gaps.
type Tensor struct {
	DType  string // float16, bfloat16 or float32
	Shape  []int64
	Data   []byte       // little-endian; nil on a GPU
	Device cuda.Pointer // its place on a GPU
	Bytes  int64        // of it there
}

func (t Tensor) bytes() int64 {
	if t.Data == nil {
		return t.Bytes
	}
	return int64(len(t.Data))
}

// Lookup finds a weight by the name that Hugging Face's checkpoints give it.
type Lookup func(name string) (Tensor, bool)

// UnsupportedError is of a model that this package does not know how to run.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return "inference is not supported for " + e.What }

// Model is a network that can be run. It is not for concurrent use.
type Model struct {
	config  config
	program *program
	team    *team // on the CPU
	gpu     *GPU  // else
}

// New finds a model's weights by its config.json, to run it on the CPU. The
// tensors are read as long as the Model is used. threads is how many share the
// work; 0 is one a CPU.
func New(configJSON []byte, lookup Lookup, threads int) (*Model, error) {
	m, err := find(configJSON, lookup)
	if err != nil {
		return nil, err
	}
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	m.team = newTeam(threads)
	return m, nil
}

// NewOnGPU is New for tensors that lie on a GPU, which runs the model. It goes
// before g does.
func NewOnGPU(configJSON []byte, lookup Lookup, g *GPU) (*Model, error) {
	m, err := find(configJSON, lookup)
	if err != nil {
		return nil, err
	}
	m.gpu = g
	return m, nil
}

func find(configJSON []byte, lookup Lookup) (*Model, error) {
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
	default: // parseConfig lets no other through
		m.program = newLlama(&c, w)
	}
	return m, w.err
}

// Known says whether the model of a config.json can be run: nil, an
// *UnsupportedError, or what is wrong with the file.
func Known(configJSON []byte) error {
	_, err := parseConfig(configJSON)
	return err
}

// begin makes ready for a sequence of at most so many tokens.
func (m *Model) begin(tokens int) (processor, error) {
	if m.gpu != nil {
		return newGPU(m.gpu, m.program, tokens)
	}
	return newCPU(m.program, m.config.Layers, m.team), nil
}

// Close ends the model's threads.
func (m *Model) Close() {
	if m.team != nil {
		m.team.close()
	}
}

func (m *Model) check(tokens []int32) error {
	for _, t := range tokens {
		if t < 0 || int(t) >= m.config.VocabSize {
			return fmt.Errorf("token %d is outside of the vocabulary of %d", t, m.config.VocabSize)
		}
	}
	return nil
}
