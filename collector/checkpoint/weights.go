package checkpoint

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/sllmq/sllmq/internal/float16"
)

// kind is a kind of weight, which determines the distribution of its values.
type kind uint8

// The kinds of weights.
const (
	matrix kind = iota
	norm
	bias
	kinds
)

// spread returns the mean and the standard deviation of a kind's values. They
// follow the usual initialization, so that a model computes without overflow.
func (k kind) spread() (mean, deviation float64) {
	switch k {
	case norm:
		return 1, 0.02
	case bias:
		return 0, 0.01
	}
	return 0, 0.02
}

// generation names the algorithm that generates weights. Manifests record it;
// it must change whenever a tensor would get other bytes.
const generation = "normal-splitmix64-v1"

// seed is the seed of all synthetic weights.
const seed uint64 = 0x736c6c6d71000001

// wordBytes is how many bytes of a tensor come from one step of the random
// stream.
const wordBytes = 8

// generator generates tensors. Each 8 bytes of a tensor depend only on the
// tensor's name and their position in it, so any goroutine can generate any
// part at any time.
//
// 16 random bits select a value from a table of the quantiles of a normal
// distribution in the target type, which is as fast as writing to memory. In
// float32 the low bits of the mantissa are random too; otherwise half of every
// value would be one of few patterns.
type generator struct {
	specs  []spec
	seeds  []uint64
	kinds  []kind
	table2 [kinds][]uint16 // of float16 or bfloat16
	table4 [kinds][]uint32 // of float32
}

var _ source = (*generator)(nil)

// newGenerator returns a generator for a model in float16, bfloat16 or float32.
func newGenerator(s synthetic, d DType) *generator {
	g := &generator{specs: s.specs(d)}
	for i, w := range s.arch.weights() {
		name := g.specs[i].name
		if w.tied != "" {
			name = w.tied
		}
		g.seeds = append(g.seeds, mix(seed^xxhash.Sum64String(name)))
		g.kinds = append(g.kinds, w.kind)
	}
	for k := range kinds {
		quantiles := normalQuantiles(k.spread())
		switch d {
		case Float16:
			g.table2[k] = quantize(quantiles, float16.Round)
		case BFloat16:
			g.table2[k] = quantize(quantiles, float16.RoundBFloat16)
		default:
			g.table4[k] = quantize(quantiles, func(bits uint32) uint32 { return bits })
		}
	}
	return g
}

func (g *generator) tensors() []spec             { return g.specs }
func (g *generator) check(context.Context) error { return nil }
func (g *generator) close() error                { return nil }

// fill generates dst, which begins at byte off of the tensor.
func (g *generator) fill(dst []byte, tensor int, off int64) error {
	word := uint64(off / wordBytes)
	if skip := off % wordBytes; skip != 0 {
		n := g.fillPart(dst, tensor, word, int(skip))
		dst = dst[n:]
		word++
	}
	whole := len(dst) / wordBytes * wordBytes
	state := g.seeds[tensor] + word*golden
	if table := g.table2[g.kinds[tensor]]; table != nil {
		fill2(dst[:whole], (*[tableSize]uint16)(table), state)
	} else {
		fill4(dst[:whole], (*[tableSize]uint32)(g.table4[g.kinds[tensor]]), state)
	}
	if whole < len(dst) {
		g.fillPart(dst[whole:], tensor, word+uint64(whole/wordBytes), 0)
	}
	return nil
}

// fillPart fills the beginning of dst with a word of the tensor from its byte
// skip on, and returns the number of bytes.
func (g *generator) fillPart(dst []byte, tensor int, word uint64, skip int) int {
	var b [wordBytes]byte
	_ = g.fill(b[:], tensor, int64(word)*wordBytes) // cannot fail
	return copy(dst, b[skip:])
}

// tableSize is the number of values that 16 bits select from.
const tableSize = 1 << 16

// golden is the increment of splitmix64 (Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", OOPSLA 2014). Its n-th output is
// the mix of n increments, so that a stream can start anywhere.
const golden uint64 = 0x9e3779b97f4a7c15

// mix is the output function of splitmix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// fill2 writes four values of two bytes per word.
func fill2(dst []byte, table *[tableSize]uint16, state uint64) {
	for ; len(dst) >= wordBytes; dst = dst[wordBytes:] {
		r := mix(state)
		state += golden
		binary.LittleEndian.PutUint64(dst, uint64(table[uint16(r)])|
			uint64(table[uint16(r>>16)])<<16|
			uint64(table[uint16(r>>32)])<<32|
			uint64(table[uint16(r>>48)])<<48)
	}
}

// lowBits are the bits of a float32's mantissa that are random within a
// quantile.
const lowBits = 1<<12 - 1

// fill4 writes two values of four bytes per word.
func fill4(dst []byte, table *[tableSize]uint32, state uint64) {
	for ; len(dst) >= wordBytes; dst = dst[wordBytes:] {
		r := mix(state)
		state += golden
		a := table[uint16(r)] ^ uint32(r>>16)&lowBits
		b := table[uint16(r>>32)] ^ uint32(r>>48)&lowBits
		binary.LittleEndian.PutUint64(dst, uint64(a)|uint64(b)<<32)
	}
}

// normalQuantiles divides a normal distribution into tableSize parts of equal
// probability and returns the median of each.
func normalQuantiles(mean, deviation float64) []float32 {
	q := make([]float32, tableSize)
	for i := range q {
		p := (float64(i) + 0.5) / tableSize
		q[i] = float32(mean + deviation*math.Sqrt2*math.Erfinv(2*p-1))
	}
	return q
}

// quantize converts values to another type, given the conversion of their bits.
func quantize[T any](values []float32, convert func(uint32) T) []T {
	out := make([]T, len(values))
	for i, v := range values {
		out[i] = convert(math.Float32bits(v))
	}
	return out
}
