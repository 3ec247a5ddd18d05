package float16_test

import (
	"math"
	"testing"

	"github.com/sllmq/sllmq/internal/float16"
)

// halfValue decodes a binary16.
func halfValue(b uint16) float64 {
	sign := 1.0
	if b&0x8000 != 0 {
		sign = -1
	}
	exponent, fraction := int(b>>10&31), float64(b&1023)
	if exponent == 0 {
		return sign * math.Ldexp(fraction, -24)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// TestRound checks rounding against its definition: finite values stay the
// same, and midpoints round to even.
func TestRound(t *testing.T) {
	for b := uint16(0); b < 31<<10; b++ {
		for _, sign := range []uint16{0, 0x8000} {
			v := halfValue(b | sign)
			if got := float16.Round(math.Float32bits(float32(v))); got != b|sign && v != 0 {
				t.Fatalf("%g has bits %04x, got %04x", v, b|sign, got)
			}
		}
		if b+1 == 31<<10 {
			break
		}
		half := (halfValue(b) + halfValue(b+1)) / 2
		even := b + b&1
		if got := float16.Round(math.Float32bits(float32(half))); got != even {
			t.Fatalf("%g, the midpoint above %04x: got %04x, want %04x", half, b, got, even)
		}
	}
}

func TestRoundBFloat16(t *testing.T) {
	for in, want := range map[uint32]uint16{
		0x3f800000: 0x3f80, 0x3f808000: 0x3f80, 0x3f808001: 0x3f81, 0x3f818000: 0x3f82, 0xbcffffff: 0xbd00,
	} {
		if got := float16.RoundBFloat16(in); got != want {
			t.Errorf("%08x rounds to %04x, want %04x", in, got, want)
		}
	}
}

// TestRoundingAgainstArithmetic compares the rounding of bits with the rounding
// of numbers, for float32 values all over the range.
func TestRoundingAgainstArithmetic(t *testing.T) {
	for bits := uint64(0); bits < 1<<32; bits += 997 {
		v := float64(math.Float32frombits(uint32(bits)))
		if math.IsNaN(v) {
			continue
		}
		step := 0x1p-24
		if a := math.Abs(v); a >= 0x1p-14 && !math.IsInf(v, 0) {
			_, exponent := math.Frexp(a)
			step = math.Ldexp(1, exponent-11)
		}
		want := math.RoundToEven(v/step) * step
		if math.Abs(want) >= 65536 {
			want = math.Inf(int(math.Copysign(1, v)))
		}
		if got := float64(math.Float32frombits(float16.Widen(float16.Round(uint32(bits))))); got != want {
			t.Fatalf("%g rounds to %g, want %g", v, got, want)
		}
	}
}
