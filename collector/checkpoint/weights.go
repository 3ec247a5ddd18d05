package checkpoint

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

// kind says what sort of values a weight has.
type kind uint8

// The kinds, and below how their values are spread: as an initialisation
// spreads them, so that a model of such weights computes without overflow.
const (
	matrix kind = iota
	norm
	bias
	kinds
)

// spread is the mean and the standard deviation of a kind's values.
func (k kind) spread() (mean, deviation float64) {
	switch k {
	case norm:
		return 1, 0.02
	case bias:
		return 0, 0.01
	}
	return 0, 0.02
}

// generation names how weights are made up. It stands in the manifest of what
// was made, and changes when the same tensor would get other bytes.
const generation = "normal-splitmix64-v1"

// seed is what all made-up weights begin from.
const seed uint64 = 0x736c6c6d71000001

// wordBytes is how much of a tensor one step of the random stream makes.
const wordBytes = 8

// generator makes up tensors. Each 8 bytes of a tensor depend on the tensor's
// name and on where they are in it and on nothing else, so that any part may
// be made at any time, by any goroutine.
//
// A value is drawn by 16 random bits from a table of the quantiles of a
// normal distribution, already in the wanted type: the draw is as fast as the
// memory it is written to. In float32 the mantissa's low bits are random too,
// so that half of every value is not the same few thousand patterns.
type generator struct {
	specs  []spec
	seeds  []uint64
	kinds  []kind
	table2 [kinds][]uint16 // of float16 or bfloat16
	table4 [kinds][]uint32 // of float32
}

var _ source = (*generator)(nil)

// newGenerator makes the tables for a model at a type.
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
			g.table2[k] = quantize(quantiles, float16Bits)
		case BFloat16:
			g.table2[k] = quantize(quantiles, bfloat16Bits)
		default:
			g.table4[k] = quantize(quantiles, math.Float32bits)
		}
	}
	return g
}

func (g *generator) tensors() []spec             { return g.specs }
func (g *generator) check(context.Context) error { return nil }
func (g *generator) close() error                { return nil }

// fill makes up dst, which begins at byte off of the tensor.
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

// fillPart makes up what dst holds of one word, from its byte skip on, and
// says how many bytes that were.
func (g *generator) fillPart(dst []byte, tensor int, word uint64, skip int) int {
	var b [wordBytes]byte
	_ = g.fill(b[:], tensor, int64(word)*wordBytes) // made up, so it can't fail
	return copy(dst, b[skip:])
}

// tableSize is how many values 16 bits choose from.
const tableSize = 1 << 16

// golden is the step of splitmix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014): its n-th output is mix of
// n steps, so the stream can be entered anywhere.
const golden uint64 = 0x9e3779b97f4a7c15

// mix is the output function of splitmix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// fill2 writes four values of two bytes a word.
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

// lowBits are the bits of a float32's mantissa that vary within a quantile.
const lowBits = 1<<12 - 1

// fill4 writes two values of four bytes a word.
func fill4(dst []byte, table *[tableSize]uint32, state uint64) {
	for ; len(dst) >= wordBytes; dst = dst[wordBytes:] {
		r := mix(state)
		state += golden
		a := table[uint16(r)] ^ uint32(r>>16)&lowBits
		b := table[uint16(r>>32)] ^ uint32(r>>48)&lowBits
		binary.LittleEndian.PutUint64(dst, uint64(a)|uint64(b)<<32)
	}
}

// normalQuantiles cuts a normal distribution into parts of equal probability
// and gives the middle of each.
func normalQuantiles(mean, deviation float64) []float32 {
	q := make([]float32, tableSize)
	for i := range q {
		p := (float64(i) + 0.5) / tableSize
		q[i] = float32(mean + deviation*math.Sqrt2*math.Erfinv(2*p-1))
	}
	return q
}

// quantize turns values into another type's bits.
func quantize[T any](values []float32, bits func(float32) T) []T {
	out := make([]T, len(values))
	for i, v := range values {
		out[i] = bits(v)
	}
	return out
}

// float16Bits rounds to IEEE 754's binary16, ties to even. Values here are
// far below its largest.
func float16Bits(v float32) uint16 {
	sign := uint16(math.Float32bits(v)>>16) & 0x8000
	a := math.Abs(float64(v))
	if a < 0x1p-14 {
		// Subnormal: a multiple of 2^-24. Rounding up to 1024 of them is the
		// smallest normal value, and its bits are 1024 too.
		return sign | uint16(math.RoundToEven(a*0x1p24))
	}
	fraction, exponent := math.Frexp(a)                        // in [0.5, 1)
	significand := uint16(math.RoundToEven(fraction * 0x1p11)) // 11 bits
	// A significand that rounds up to 12 bits carries into the exponent, as it
	// has to.
	return sign | (uint16(exponent+14)<<10 - 1<<10 + significand)
}

// bfloat16Bits keeps a float32's upper half, rounded, ties to even.
func bfloat16Bits(v float32) uint16 {
	b := math.Float32bits(v)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
