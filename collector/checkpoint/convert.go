package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
)

// conversion turns the elements in src into dst's type, as many as dst has
// room for, and counts the finite values that became infinite.
type conversion func(dst, src []byte) (overflows int64)

// convertible says whether a type can be converted from.
func (d DType) convertible() bool {
	switch d {
	case Float16, BFloat16, Float32, Float64:
		return true
	}
	return false
}

// findConversion gives the conversion between two different types. It rounds
// to nearest, ties to even; NaN stays NaN. From float64 it goes by way of
// float32, as torch's does.
func findConversion(from, to DType) (conversion, error) {
	switch {
	case to == Float32 && from == Float64:
		return float64ToFloat32, nil
	case to == Float32 && (from == Float16 || from == BFloat16):
		return widen(from), nil
	case to == Float16 && from == Float32:
		return float32ToFloat16, nil
	case to == BFloat16 && from == Float32:
		return float32ToBFloat16, nil
	case to == Float16 && from == Float64:
		return throughFloat32(float32ToFloat16, 2), nil
	case to == BFloat16 && from == Float64:
		return throughFloat32(float32ToBFloat16, 2), nil
	case to == Float16 && from == BFloat16, to == BFloat16 && from == Float16:
		return between(from), nil
	}
	return nil, fmt.Errorf("%s is not converted to %s: use --dtype auto", from, to)
}

// Infinities, by the bits under the sign.
const (
	infinity16  = 0x7c00
	infinityB16 = 0x7f80
	infinity32  = 0x7f80_0000
)

// toFloat16 rounds to IEEE 754's binary16.
func toFloat16(bits uint32) uint16 {
	sign := uint16(bits>>16) & 0x8000
	bits &= 0x7fff_ffff
	switch {
	case bits > infinity32: // NaN, made quiet
		return sign | infinity16 | 0x200 | uint16(bits>>13)&0x3ff
	case bits >= 0x4780_0000: // 2^16 and more
		return sign | infinity16
	case bits < 0x3880_0000: // below 2^-14, where halves are multiples of 2^-24
		// In [0.5, 1) the steps of a float32 are 2^-24, so the addition rounds.
		return sign | uint16(math.Float32bits(math.Float32frombits(bits)+0.5)-math.Float32bits(0.5))
	}
	// The exponent is moved and what is cut off rounded; a significand that
	// overflows carries into the exponent, and past the last into infinity.
	bits -= (127 - 15) << 23
	return sign | uint16((bits+0xfff+bits>>13&1)>>13)
}

// toBFloat16 rounds to a float32's upper half.
func toBFloat16(bits uint32) uint16 {
	if bits&0x7fff_ffff > infinity32 {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}

// fromFloat16 is exact.
func fromFloat16(h uint16) uint32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10)&0x1f, uint32(h&0x3ff)
	switch exponent {
	case 0:
		return sign | math.Float32bits(float32(fraction)*0x1p-24)
	case 0x1f:
		if fraction != 0 {
			fraction |= 0x200
		}
		return sign | infinity32 | fraction<<13
	}
	return sign | (exponent+127-15)<<23 | fraction<<13
}

func float32ToFloat16(dst, src []byte) (overflows int64) {
	for len(dst) >= 2 && len(src) >= 4 {
		bits := binary.LittleEndian.Uint32(src)
		h := toFloat16(bits)
		if h&0x7fff == infinity16 && bits&0x7fff_ffff != infinity32 {
			overflows++
		}
		binary.LittleEndian.PutUint16(dst, h)
		dst, src = dst[2:], src[4:]
	}
	return overflows
}

func float32ToBFloat16(dst, src []byte) (overflows int64) {
	for len(dst) >= 2 && len(src) >= 4 {
		bits := binary.LittleEndian.Uint32(src)
		h := toBFloat16(bits)
		if h&0x7fff == infinityB16 && bits&0x7fff_ffff != infinity32 {
			overflows++
		}
		binary.LittleEndian.PutUint16(dst, h)
		dst, src = dst[2:], src[4:]
	}
	return overflows
}

func float64ToFloat32(dst, src []byte) (overflows int64) {
	for len(dst) >= 4 && len(src) >= 8 {
		v := math.Float64frombits(binary.LittleEndian.Uint64(src))
		f := float32(v)
		if math.IsInf(float64(f), 0) && !math.IsInf(v, 0) {
			overflows++
		}
		binary.LittleEndian.PutUint32(dst, math.Float32bits(f))
		dst, src = dst[4:], src[8:]
	}
	return overflows
}

// throughFloat32 goes from float64 by way of float32, a piece at a time.
func throughFloat32(second conversion, size int) conversion {
	return func(dst, src []byte) (overflows int64) {
		var piece [4096]byte
		for len(dst) > 0 {
			n := min(len(dst)/size, len(piece)/4)
			if n == 0 {
				break
			}
			overflows += float64ToFloat32(piece[:4*n], src)
			overflows += second(dst[:size*n], piece[:4*n])
			dst, src = dst[size*n:], src[8*n:]
		}
		return overflows
	}
}

// widen makes float32 of a type of 16 bits: there are few values, so each is
// looked up.
func widen(from DType) conversion {
	var table [1 << 16]uint32
	for i := range table {
		table[i] = bitsOf(from, uint16(i))
	}
	return func(dst, src []byte) int64 {
		for len(dst) >= 4 && len(src) >= 2 {
			binary.LittleEndian.PutUint32(dst, table[binary.LittleEndian.Uint16(src)])
			dst, src = dst[4:], src[2:]
		}
		return 0
	}
}

// between goes from one type of 16 bits to the other.
func between(from DType) conversion {
	var table [1 << 16]uint16
	var over [1 << 16]uint8
	for i := range table {
		bits := bitsOf(from, uint16(i))
		limit := uint16(infinity16)
		table[i] = toFloat16(bits)
		if from == Float16 {
			table[i], limit = toBFloat16(bits), infinityB16
		}
		if table[i]&0x7fff == limit && bits&0x7fff_ffff != infinity32 {
			over[i] = 1
		}
	}
	return func(dst, src []byte) (overflows int64) {
		for len(dst) >= 2 && len(src) >= 2 {
			v := binary.LittleEndian.Uint16(src)
			overflows += int64(over[v])
			binary.LittleEndian.PutUint16(dst, table[v])
			dst, src = dst[2:], src[2:]
		}
		return overflows
	}
}

// bitsOf is a value of 16 bits as a float32.
func bitsOf(d DType, v uint16) uint32 {
	if d == BFloat16 {
		return uint32(v) << 16
	}
	return fromFloat16(v)
}
