package inference

// program is an architecture with its weights, as steps for a processor. Values
// are float32.
type program struct {
	slots  []int  // the width of each slot
	body   []step // for a batch of tokens
	hidden slot   // the body's result, for each token
	last   slot   // the head's input, for one token
	head   []step // for one token
	logits slot   // the head's result
}

// slot is a buffer for a batch's values, one row per token. It is an index into
// program.slots.
type slot int

// slot adds a slot of width values per token.
func (p *program) slot(width int) slot {
	p.slots = append(p.slots, width)
	return slot(len(p.slots) - 1)
}

// rowsOf returns the number of tokens that a slot can hold. The slots from last
// on belong to the head.
func (p *program) rowsOf(s slot) int {
	if s >= p.last {
		return 1
	}
	return maxBatch
}

// do appends steps to the body.
func (p *program) do(steps ...step) { p.body = append(p.body, steps...) }

// step is one of the types below.
type step any

// Each step works on all rows of its slots.
type (
	// embed looks up tokens: dst = table[token].
	embed struct {
		dst   slot
		table matrix
	}
	// addPosition adds learned positions: dst += table[position + offset].
	addPosition struct {
		dst    slot
		table  matrix
		offset int
	}
	// multiply is dst = m · x + bias, which may be nil.
	multiply struct {
		dst  slot
		m    matrix
		x    slot
		bias *vector
	}
	// add is dst += x.
	add struct{ dst, x slot }
	// scale is dst *= factor.
	scale struct {
		dst    slot
		factor float32
	}
	// rmsNorm normalizes each vector of len(weight) values (Zhang and Sennrich,
	// "Root Mean Square Layer Normalization", 2019). shift is added to the
	// weights: Gemma stores them minus one.
	rmsNorm struct {
		dst, x slot
		weight *vector
		eps    float64
		shift  float32
	}
	// layerNorm normalizes rows (Ba, Kiros and Hinton, "Layer Normalization",
	// 2016), with torch's default epsilon.
	layerNorm struct {
		dst, x       slot
		weight, bias *vector
	}
	// rotate applies rotary positions (Su et al., "RoFormer", 2021). It rotates
	// pair i of each head by position × frequencies[i] radians; as in
	// transformers' rotate_half, a pair is a value of the head's first half and
	// the corresponding one of the second.
	rotate struct {
		dst         slot
		heads       int
		frequencies *vector
	}
	// attend appends keys and values to the layer's cache and computes dst =
	// softmax(scale · q · keys) · values, where each token sees itself and those
	// before it. limit, if not 0, is the soft cap of scores; window, if not 0, is
	// the number of tokens that a token sees.
	attend struct {
		dst, q, k, v         slot
		layer                int
		heads, kvHeads, size int // size is the number of values per head
		scale, limit         float64
		window               int
	}
	// relu is dst = max(0, dst).
	relu struct{ dst slot }
	// gate is dst *= activation(x).
	gate struct {
		dst, x     slot
		activation activation
	}
	// softCap is dst = limit · tanh(dst / limit).
	softCap struct {
		dst   slot
		limit float64
	}
)

// activation is the function of a gate. kernels.cu uses the same numbers.
type activation int32

const (
	silu     activation = iota
	geluTanh            // the approximation of Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016
)

// processor executes a program for one sequence.
type processor interface {
	// forward executes the body for the next tokens of the sequence, at most
	// maxBatch.
	forward(tokens []int32) error
	// logits executes the head for token i of the last batch. The result is valid
	// until the next call.
	logits(i int) ([]float32, error)
	close() error
}

// maxBatch is the number of tokens of a prompt that are processed together.
const maxBatch = 16
