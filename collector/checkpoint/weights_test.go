package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
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

// TestToFloat16 checks rounding against its definition: finite values stay the
// same, and midpoints round to even.
func TestToFloat16(t *testing.T) {
	for b := uint16(0); b < 31<<10; b++ {
		for _, sign := range []uint16{0, 0x8000} {
			v := halfValue(b | sign)
			if got := toFloat16(math.Float32bits(float32(v))); got != b|sign && v != 0 {
				t.Fatalf("%g has bits %04x, got %04x", v, b|sign, got)
			}
		}
		if b+1 == 31<<10 {
			break
		}
		half := (halfValue(b) + halfValue(b+1)) / 2
		even := b + b&1
		if got := toFloat16(math.Float32bits(float32(half))); got != even {
			t.Fatalf("%g, the midpoint above %04x: got %04x, want %04x", half, b, got, even)
		}
	}
}

func TestToBFloat16(t *testing.T) {
	for in, want := range map[uint32]uint16{
		0x3f800000: 0x3f80, 0x3f808000: 0x3f80, 0x3f808001: 0x3f81, 0x3f818000: 0x3f82, 0xbcffffff: 0xbd00,
	} {
		if got := toBFloat16(in); got != want {
			t.Errorf("%08x rounds to %04x, want %04x", in, got, want)
		}
	}
}

// TestFillAnywhere generates a tensor in parts that begin and end anywhere.
func TestFillAnywhere(t *testing.T) {
	s, err := findSynthetic("opt-125m")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []DType{Float16, BFloat16, Float32} {
		g := newGenerator(s, d)
		whole := make([]byte, 1000)
		if err := g.fill(whole, 0, 0); err != nil {
			t.Fatal(err)
		}
		for step := 1; step < 40; step++ {
			var parts []byte
			for at := 0; at < len(whole); at += step {
				part := make([]byte, min(step, len(whole)-at))
				if err := g.fill(part, 0, int64(at)); err != nil {
					t.Fatal(err)
				}
				parts = append(parts, part...)
			}
			if !bytes.Equal(parts, whole) {
				t.Fatalf("%s in parts of %d bytes differs", d, step)
			}
		}
	}
}

// TestPlausible checks the mean and the deviation of the values, and that no
// block repeats.
func TestPlausible(t *testing.T) {
	s, err := findSynthetic("opt-125m")
	if err != nil {
		t.Fatal(err)
	}
	decode := map[DType]func([]byte) float64{
		Float16: func(b []byte) float64 { return halfValue(binary.LittleEndian.Uint16(b)) },
		BFloat16: func(b []byte) float64 {
			return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16))
		},
		Float32: func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) },
	}
	for d, value := range decode {
		g := newGenerator(s, d)
		for i, sp := range g.specs {
			if i > 8 { // embeddings, norms, projections and their biases
				break
			}
			buf := make([]byte, min(sp.size, 1<<20))
			if err := g.fill(buf, i, 0); err != nil {
				t.Fatal(err)
			}
			var sum, squares float64
			n := len(buf) / int(d.Size())
			for at := 0; at < len(buf); at += int(d.Size()) {
				v := value(buf[at:])
				sum += v
				squares += v * v
			}
			mean := sum / float64(n)
			deviation := math.Sqrt(squares/float64(n) - mean*mean)
			wantMean, wantDeviation := g.kinds[i].spread()
			if math.Abs(mean-wantMean) > 5*wantDeviation/math.Sqrt(float64(n)) || math.Abs(deviation/wantDeviation-1) > 0.15 {
				t.Errorf("%s %s: mean %g and deviation %g, want %g and %g", d, sp.name, mean, deviation, wantMean, wantDeviation)
			}
		}
		blocks := map[uint64]bool{}
		buf := make([]byte, 8<<20)
		if err := g.fill(buf, 0, 0); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(buf); at += 4096 {
			sum := Checksum(buf[at : at+4096])
			if blocks[sum] {
				t.Fatalf("%s: a block of 4 KiB repeats", d)
			}
			blocks[sum] = true
		}
	}
}
