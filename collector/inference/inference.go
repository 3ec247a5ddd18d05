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
)

// Tensor is a weight in memory, in row-major order without gaps.
type Tensor struct {
	DType string // float16, bfloat16 or float32
	Shape []int64
	Data  []byte // little-endian
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
	team    *team
}

// New finds a model's weights by its config.json. The tensors are read as long
// as the Model is used. threads is how many share the work; 0 is one a CPU.
func New(configJSON []byte, lookup Lookup, threads int) (*Model, error) {
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
	if w.err != nil {
		return nil, w.err
	}
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	m.team = newTeam(threads)
	return m, nil
}

// Known says whether the model of a config.json can be run: nil, an
// *UnsupportedError, or what is wrong with the file.
func Known(configJSON []byte) error {
	_, err := parseConfig(configJSON)
	return err
}

// begin makes ready for a sequence of at most so many tokens.
func (m *Model) begin(tokens int) (processor, error) {
	return newCPU(m.program, m.config.Layers, m.team), nil
}

// Close ends the model's threads.
func (m *Model) Close() { m.team.close() }

// VocabularySize is how many token ids the model knows.
func (m *Model) VocabularySize() int { return m.config.VocabSize }

func (m *Model) check(tokens []int32) error {
	for _, t := range tokens {
		if t < 0 || int(t) >= m.config.VocabSize {
			return fmt.Errorf("token %d is outside of the vocabulary of %d", t, m.config.VocabSize)
		}
	}
	return nil
}
