package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/sllmq/sllmq/internal/float16"
)

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
		Float16: func(b []byte) float64 {
			return float64(math.Float32frombits(float16.Widen(binary.LittleEndian.Uint16(b))))
		},
		BFloat16: func(b []byte) float64 {
			return float64(math.Float32frombits(float16.WidenBFloat16(binary.LittleEndian.Uint16(b))))
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
