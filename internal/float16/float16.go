// Package float16 converts float32 values to the 16-bit floating-point types of
// checkpoints and back, as bits: IEEE 754 binary16 ("float16") and the upper half
// of a float32 ("bfloat16"). Rounding is to nearest, ties to even; NaN stays NaN.
package float16

import "math"

// The bits of infinity, without the sign.
const (
	Infinity         = 0x7c00      // of a float16
	BFloat16Infinity = 0x7f80      // of a bfloat16
	Float32Infinity  = 0x7f80_0000 // of a float32
)

// Round rounds the bits of a float32 to a float16.
func Round(bits uint32) uint16 {
	sign := uint16(bits>>16) & 0x8000
	bits &= 0x7fff_ffff
	switch {
	case bits > Float32Infinity: // a quiet NaN
		return sign | Infinity | 0x200 | uint16(bits>>13)&0x3ff
	case bits >= 0x4780_0000: // 2^16 and more
		return sign | Infinity
	case bits < 0x3880_0000: // below 2^-14, where halves are multiples of 2^-24
		// In [0.5, 1), float32 values are 2^-24 apart, so the addition rounds.
		return sign | uint16(math.Float32bits(math.Float32frombits(bits)+0.5)-math.Float32bits(0.5))
	}
	// Rebias the exponent and round the significand. A significand that overflows
	// carries into the exponent, and past the largest exponent into infinity.
	bits -= (127 - 15) << 23
	return sign | uint16((bits+0xfff+bits>>13&1)>>13)
}

// Widen returns the bits of a float16 as a float32, which is exact.
func Widen(h uint16) uint32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10)&0x1f, uint32(h&0x3ff)
	switch exponent {
	case 0:
		return sign | math.Float32bits(float32(fraction)*0x1p-24)
	case 0x1f:
		if fraction != 0 {
			fraction |= 0x200
		}
		return sign | Float32Infinity | fraction<<13
	}
	return sign | (exponent+127-15)<<23 | fraction<<13
}

// RoundBFloat16 rounds the bits of a float32 to a bfloat16.
func RoundBFloat16(bits uint32) uint16 {
	if bits&0x7fff_ffff > Float32Infinity {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// WidenBFloat16 returns the bits of a bfloat16 as a float32, which is exact.
func WidenBFloat16(b uint16) uint32 { return uint32(b) << 16 }
