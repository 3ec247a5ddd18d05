package inference

// program is an architecture with its weights, as the steps that a processor
// carries out. Values are float32; a slot holds rows of them, a token's after
// another's.
type program struct {
	slots  []int  // the width of each
	body   []step // for a batch of tokens that come after those in the cache
	hidden slot   // what the body leaves for each token
	last   slot   // hidden values of one token, where the head begins
	head   []step // for one token
	logits slot
}

// slot is a place for a batch's values, by its number in the program.
type slot int

// slot makes one of so many values a token.
func (p *program) slot(width int) slot {
	p.slots = append(p.slots, width)
	return slot(len(p.slots) - 1)
}

// rowsOf is how many tokens a slot has room for: those that are made from last
// on are the head's.
func (p *program) rowsOf(s slot) int {
	if s >= p.last {
		return 1
	}
	return maxBatch
}

// do adds steps to the body.
func (p *program) do(steps ...step) { p.body = append(p.body, steps...) }

// step is one of the types below.
type step any

// Each step works on all rows of its slots.
type (
	// embed looks the tokens up: dst = table[token].
	embed struct {
		dst   slot
		table matrix
	}
	// place adds learned positions: dst += table[position + offset].
	place struct {
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
	// scale is dst *= by.
	scale struct {
		dst slot
		by  float32
	}
	// rmsNorm normalises each len(weight) values (Zhang and Sennrich, 2019).
	// shift is added to the weights: Gemma keeps them around nought.
	rmsNorm struct {
		dst, x slot
		weight *vector
		eps    float64
		shift  float32
	}
	// layerNorm normalises rows (Ba, Kiros and Hinton, 2016), with the epsilon
	// of torch.
	layerNorm struct {
		dst, x       slot
		weight, bias *vector
	}
	// rotate turns the heads of each token by its position's angles, the first
	// half of a head against the second (Su et al., "RoFormer", 2021, in the order
	// of transformers' rotate_half). A head's i-th pair turns by frequencies[i]
	// from one position to the next.
	rotate struct {
		dst         slot
		heads       int
		frequencies *vector
	}
	// attend adds keys and values to the layer's cache and sets dst to the
	// values that each query asks for. limit, if not 0, caps the scores softly;
	// window, if not 0, is how far back a token sees.
	attend struct {
		dst, q, k, v         slot
		layer                int
		heads, kvHeads, size int // size: values of a head
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

// activation is a gate's function; kernels know it by the same numbers.
type activation int32

const (
	silu     activation = iota
	geluTanh            // the approximation of Hendrycks and Gimpel, 2016
)

// processor carries a program out for one sequence.
type processor interface {
	// forward takes up to maxBatch tokens that come after those before.
	forward(tokens []int32) error
	// logits are those after the token at place i of the last batch, good until
	// the next call.
	logits(i int) ([]float32, error)
	// close gives back what the sequence took.
	close() error
}

// maxBatch is how many tokens of a prompt go through the network together.
const maxBatch = 16
