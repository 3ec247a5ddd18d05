package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/sllmq/sllmq/internal/float16"
)

// conversion converts elements from src to dst until dst is full, and returns
// the number of finite values that became infinite. Elements are little-endian.
type conversion func(dst, src []byte) (overflows int64)

// convertible reports whether elements of a type can be converted to another.
func (d DType) convertible() bool {
	switch d {
	case Float16, BFloat16, Float32, Float64:
		return true
	}
	return false
}

// conversionBetween returns the conversion between two different types. It
// rounds to nearest, ties to even; NaN stays NaN. It converts float64 through
// float32, as torch does.
func conversionBetween(from, to DType) (conversion, error) {
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
		return convert16(from), nil
	}
	return nil, fmt.Errorf("cannot convert %s to %s: use dtype auto", from, to)
}

func float32ToFloat16(dst, src []byte) (overflows int64) {
	for len(dst) >= 2 && len(src) >= 4 {
		bits := binary.LittleEndian.Uint32(src)
		h := float16.Round(bits)
		if h&0x7fff == float16.Infinity && bits&0x7fff_ffff != float16.Float32Infinity {
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
		h := float16.RoundBFloat16(bits)
		if h&0x7fff == float16.BFloat16Infinity && bits&0x7fff_ffff != float16.Float32Infinity {
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

// throughFloat32 converts float64 to float32 in pieces and each piece by
// second, whose elements have the given size in bytes.
func throughFloat32(second conversion, size int) conversion {
	return func(dst, src []byte) (overflows int64) {
		var piece [4096]byte // stays in the first-level cache
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

// widen converts a 16-bit type to float32 by a table of all values.
func widen(from DType) conversion {
	var table [1 << 16]uint32
	for i := range table {
		table[i] = float32Bits(from, uint16(i))
	}
	return func(dst, src []byte) int64 {
		for len(dst) >= 4 && len(src) >= 2 {
			binary.LittleEndian.PutUint32(dst, table[binary.LittleEndian.Uint16(src)])
			dst, src = dst[4:], src[2:]
		}
		return 0
	}
}

// convert16 converts float16 to bfloat16 or the reverse by a table of all
// values.
func convert16(from DType) conversion {
	var table [1 << 16]uint16
	var over [1 << 16]uint8
	for i := range table {
		bits := float32Bits(from, uint16(i))
		limit := uint16(float16.Infinity)
		table[i] = float16.Round(bits)
		if from == Float16 {
			table[i], limit = float16.RoundBFloat16(bits), float16.BFloat16Infinity
		}
		if table[i]&0x7fff == limit && bits&0x7fff_ffff != float16.Float32Infinity {
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

// float32Bits returns the bits of a 16-bit value as a float32.
func float32Bits(d DType, v uint16) uint32 {
	if d == BFloat16 {
		return float16.WidenBFloat16(v)
	}
	return float16.Widen(v)
}
