package checkpoint

import (
	"fmt"
	"path/filepath"
	"testing"
)

// BenchmarkGenerate measures the rate of generating weights on one core.
func BenchmarkGenerate(b *testing.B) {
	for _, d := range []DType{Float16, BFloat16, Float32} {
		b.Run(d.String(), func(b *testing.B) {
			s, err := findSynthetic("opt-125m")
			if err != nil {
				b.Fatal(err)
			}
			g := newGenerator(s, d)
			buf := make([]byte, blockBytes)
			b.SetBytes(blockBytes)
			for b.Loop() {
				if err := g.fill(buf, 0, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPrepare measures the rate of writing a first replica to disk.
func BenchmarkPrepare(b *testing.B) {
	for _, f := range Formats() {
		b.Run(string(f), func(b *testing.B) {
			m, err := Resolve(b.Context(), "synthetic/opt-1.3b")
			if err != nil {
				b.Fatal(err)
			}
			dir := b.TempDir()
			n := 0
			for b.Loop() {
				n++
				p, err := m.Plan(b.Context(), filepath.Join(dir, fmt.Sprint(n)), f, "float16", 1, Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(p.MissingBytes)
				if err := p.Prepare(b.Context(), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen measures this package's part of a load.
func BenchmarkOpen(b *testing.B) {
	for _, name := range []string{"opt-1.3b", "qwen3-32b"} {
		for _, f := range Formats() {
			b.Run(name+"/"+string(f), func(b *testing.B) {
				dir := sparseReplica(b, name, f)
				for b.Loop() {
					if _, err := Open(dir, f); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
