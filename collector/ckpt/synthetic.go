package checkpoint

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

const (
	syntheticPrefix = "synthetic/"
	autoDType       = "auto"
)

// architecture lists the tensors of a made-up model by the names that
// transformers gives them.
type architecture interface {
	layout() []weight
	config(dtype string) map[string]any
}

// weight is one tensor of a made-up model.
type weight struct {
	name   string
	shape  []int64
	tiedTo string
	kind   weightKind
}

// weightKind is how a tensor's values are spread.
type weightKind uint8

const (
	matrix weightKind = iota // normal, standard deviation 0.02, as these models are initialised
	bias                     // normal, standard deviation 0.01
	norm                     // normal around 1, standard deviation 0.05
)

// synthetics are the models that can be made up. The sizes are those of the
// models' published configurations.
func synthetics() map[string]architecture {
	return map[string]architecture{
		"opt-125m":     opt{hidden: 768, layers: 12, heads: 12, ffn: 3072, embed: 768, finalNorm: true},
		"opt-350m":     opt{hidden: 1024, layers: 24, heads: 16, ffn: 4096, embed: 512},
		"opt-1.3b":     opt{hidden: 2048, layers: 24, heads: 32, ffn: 8192, embed: 2048, finalNorm: true},
		"opt-2.7b":     opt{hidden: 2560, layers: 32, heads: 32, ffn: 10240, embed: 2560, finalNorm: true},
		"opt-6.7b":     opt{hidden: 4096, layers: 32, heads: 32, ffn: 16384, embed: 4096, finalNorm: true},
		"opt-13b":      opt{hidden: 5120, layers: 40, heads: 40, ffn: 20480, embed: 5120, finalNorm: true},
		"llama-3.1-8b": llama{kind: "llama", hidden: 4096, layers: 32, heads: 32, kvHeads: 8, headDim: 128, ffn: 14336, vocab: 128256, positions: 131072, theta: 500000, epsilon: 1e-5},
		"llama-3.2-1b": llama{kind: "llama", hidden: 2048, layers: 16, heads: 32, kvHeads: 8, headDim: 64, ffn: 8192, vocab: 128256, positions: 131072, theta: 500000, epsilon: 1e-5, tied: true},
		"qwen3-0.6b":   llama{kind: "qwen3", hidden: 1024, layers: 28, heads: 16, kvHeads: 8, headDim: 128, ffn: 3072, vocab: 151936, positions: 40960, theta: 1000000, epsilon: 1e-6, tied: true},
		"qwen3-8b":     llama{kind: "qwen3", hidden: 4096, layers: 36, heads: 32, kvHeads: 8, headDim: 128, ffn: 12288, vocab: 151936, positions: 40960, theta: 1000000, epsilon: 1e-6},
		"qwen3-32b":    llama{kind: "qwen3", hidden: 5120, layers: 64, heads: 64, kvHeads: 8, headDim: 128, ffn: 25600, vocab: 151936, positions: 40960, theta: 1000000, epsilon: 1e-6},
	}
}

func syntheticNames() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(synthetics())) {
		names = append(names, syntheticPrefix+name)
	}
	return names
}

func syntheticModel(name string) (Model, error) {
	a, ok := synthetics()[name]
	if !ok {
		return Model{}, fmt.Errorf("no model %s%s: use one of %s", syntheticPrefix, name, strings.Join(syntheticNames(), ", "))
	}
	return Model{
		Name:   syntheticPrefix + name,
		Source: "synthetic",
		folder: syntheticPrefix + name,
		open:   func() (source, error) { return &synthetic{name: name, architecture: a}, nil },
	}, nil
}

// synthetic is a model with a real one's names and shapes and weights drawn
// from a seed. Every block of every tensor has a stream of its own, so that
// any part can be made at any time, and two runs make the same.
type synthetic struct {
	name         string
	architecture architecture
	tables       [3]table // by weightKind
	dtype        DType
	weights      []weight
}

// generation counts the ways in which weights have been drawn: another is
// another source.
const generation = 1

func (s *synthetic) identity() []string {
	return []string{fmt.Sprintf("synthetic %s, generation %d", s.name, generation)}
}

func (s *synthetic) close() error { return nil }

func (s *synthetic) tensors(dtype string) ([]item, error) {
	if dtype == autoDType {
		dtype = Float16.String()
	}
	t, err := ParseDType(dtype)
	if err != nil || !t.Float() || t == Float64 {
		return nil, fmt.Errorf("%s%s can't be made in dtype %q: use float16, bfloat16 or float32", syntheticPrefix, s.name, dtype)
	}
	s.dtype, s.weights = t, s.architecture.layout()
	for kind, spread := range [...]struct{ mean, deviation float64 }{matrix: {0, 0.02}, bias: {0, 0.01}, norm: {1, 0.05}} {
		s.tables[kind] = makeTable(t, spread.mean, spread.deviation)
	}
	items := make([]item, len(s.weights))
	for i, w := range s.weights {
		size, err := byteSize(w.shape, t)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", w.name, err)
		}
		items[i] = item{
			Tensor: Tensor{Name: w.name, DType: t, Shape: w.shape, Stride: contiguous(w.shape), Size: size},
			tiedTo: w.tiedTo,
			number: i,
		}
	}
	return items, nil
}

func (s *synthetic) extras() (map[string][]byte, error) {
	text, err := jsonFile(s.architecture.config(s.dtype.String()))
	return map[string][]byte{"config.json": text}, err
}

// table holds, for every 16 random bits, the value of a normal distribution at
// that quantile, as the bytes of its type.
type table []byte

func makeTable(t DType, mean, deviation float64) table {
	width := int(t.Size())
	values := make(table, 0, width<<16)
	for i := range 1 << 16 {
		quantile := (float64(i) + 0.5) / (1 << 16)
		v := float32(mean + deviation*math.Sqrt2*math.Erfinv(2*quantile-1))
		switch t {
		case Float32:
			values = binary.LittleEndian.AppendUint32(values, math.Float32bits(v))
		case BFloat16:
			values = binary.LittleEndian.AppendUint16(values, bfloat16Bits(v))
		default:
			values = binary.LittleEndian.AppendUint16(values, float16Bits(v))
		}
	}
	return values
}

// bfloat16Bits rounds a finite value to nearest, ties to even.
func bfloat16Bits(v float32) uint16 {
	b := math.Float32bits(v)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// float16Bits rounds a value of modest size to nearest, ties to even, by
// letting float64 arithmetic round at the right bit (IEEE 754 binary16: 10 bits
// of mantissa, least exponent -14).
func float16Bits(v float32) uint16 {
	sign := uint16(math.Float32bits(v) >> 16 & 0x8000)
	a := math.Abs(float64(v))
	_, exponent := math.Frexp(a) // a = f * 2^exponent, f in [0.5, 1)
	exponent = max(exponent-1, -14)
	steps := uint16(math.RoundToEven(math.Ldexp(a, 10-exponent)))
	// 1024 steps make the implied leading bit; a carry into the next exponent
	// comes out right by itself.
	return sign | (uint16(exponent+14)<<10 + steps)
}

// randomBlock is how many bytes one stream makes.
const randomBlock = 1 << 16

func (s *synthetic) fill(t item, offset int64, b []byte) error {
	w := s.weights[t.number]
	values := s.tables[w.kind]
	seed := Checksum([]byte(w.name))
	var block [randomBlock]byte
	for len(b) > 0 {
		number, skip := offset/randomBlock, offset%randomBlock
		var n int
		if skip == 0 && len(b) >= randomBlock {
			s.draw(b[:randomBlock], values, seed+uint64(number))
			n = randomBlock
		} else {
			s.draw(block[:], values, seed+uint64(number))
			n = copy(b, block[skip:])
		}
		b, offset = b[n:], offset+int64(n)
	}
	return nil
}

// draw fills a whole block with values at random. The stream is SplitMix64
// (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014),
// 16 bits for each value.
func (s *synthetic) draw(b []byte, values table, seed uint64) {
	state := mix(seed)
	width := int(s.dtype.Size())
	for i := 0; i < len(b); i += 4 * width {
		state += 0x9e3779b97f4a7c15
		z := mix(state)
		out := b[i : i+4*width]
		if width == 2 {
			v0 := uint64(binary.LittleEndian.Uint16(values[z&0xffff*2:]))
			v1 := uint64(binary.LittleEndian.Uint16(values[z>>16&0xffff*2:]))
			v2 := uint64(binary.LittleEndian.Uint16(values[z>>32&0xffff*2:]))
			v3 := uint64(binary.LittleEndian.Uint16(values[z>>48*2:]))
			binary.LittleEndian.PutUint64(out, v0|v1<<16|v2<<32|v3<<48)
			continue
		}
		for j := range 4 {
			at := int(z>>(16*j)&0xffff) * width
			copy(out[j*width:], values[at:at+width])
		}
	}
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
