package inference

import (
	"fmt"
	"math"
)

// cpu executes a program on the CPU, with a team of threads.
type cpu struct {
	*team
	program *program
	slots   [][]float32
	tokens  []int32     // the batch
	at      int         // the position of the batch's first token
	keys    [][]float32 // the cache of each layer, token by token
	values  [][]float32
	scores  []float32
}

var _ processor = (*cpu)(nil)

func newCPU(p *program, layers int, t *team) *cpu {
	c := &cpu{team: t, program: p, slots: make([][]float32, len(p.slots)), keys: make([][]float32, layers), values: make([][]float32, layers)}
	for i, width := range p.slots {
		c.slots[i] = make([]float32, p.rowsOf(slot(i))*width)
	}
	return c
}

func (c *cpu) close() error { return nil }

func (c *cpu) forward(tokens []int32) error {
	c.at += len(c.tokens)
	c.tokens = tokens
	for _, s := range c.program.body {
		if err := c.execute(s, len(tokens)); err != nil {
			return err
		}
	}
	return nil
}

func (c *cpu) logits(i int) ([]float32, error) {
	p := c.program
	last := c.rows(p.last, 1)
	copy(last, c.slots[p.hidden][i*len(last):])
	for _, s := range p.head {
		if err := c.execute(s, 1); err != nil {
			return nil, err
		}
	}
	return c.rows(p.logits, 1), nil
}

// rows returns the values of the first n tokens in a slot.
func (c *cpu) rows(s slot, n int) []float32 { return c.slots[s][:n*c.program.slots[s]] }

// execute executes a step for n tokens.
func (c *cpu) execute(s step, n int) error {
	switch s := s.(type) {
	case embed:
		for i, t := range c.tokens {
			s.table.row(c.rows(s.dst, n)[i*s.table.cols:][:s.table.cols], int(t))
		}
	case addPosition:
		row := make([]float32, s.table.cols)
		for i := range n {
			s.table.row(row, c.at+i+s.offset)
			addTo(c.rows(s.dst, n)[i*s.table.cols:][:s.table.cols], row)
		}
	case multiply:
		var bias []float32
		if s.bias != nil {
			bias = s.bias.values
		}
		c.multiply(c.rows(s.dst, n), s.m, c.rows(s.x, n), n, bias)
	case add:
		addTo(c.rows(s.dst, n), c.rows(s.x, n))
	case scale:
		dst := c.rows(s.dst, n)
		for i := range dst {
			dst[i] *= s.factor
		}
	case rmsNorm:
		normRMS(c.rows(s.dst, n), c.rows(s.x, n), s.weight.values, s.eps, s.shift)
	case layerNorm:
		normLayer(c.rows(s.dst, n), c.rows(s.x, n), s.weight.values, s.bias.values)
	case rotate:
		c.rotate(c.rows(s.dst, n), n, s)
	case attend:
		c.attend(s, n)
	case relu:
		dst := c.rows(s.dst, n)
		for i, v := range dst {
			dst[i] = max(0, v)
		}
	case gate:
		dst := c.rows(s.dst, n)
		for i, v := range c.rows(s.x, n) {
			dst[i] *= float32(s.activation.apply(float64(v)))
		}
	case softCap:
		dst := c.rows(s.dst, n)
		for i, v := range dst {
			dst[i] = float32(math.Tanh(float64(v)/s.limit) * s.limit)
		}
	default:
		return fmt.Errorf("unknown step %T", s)
	}
	return nil
}

func (a activation) apply(v float64) float64 {
	if a == geluTanh {
		return 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
	}
	return v / (1 + math.Exp(-v))
}

// attend computes each pair of a token and a head as a separate task.
func (c *cpu) attend(s attend, n int) {
	heads, kvHeads, dim := s.heads, s.kvHeads, s.size
	c.keys[s.layer] = append(c.keys[s.layer], c.rows(s.k, n)...)
	c.values[s.layer] = append(c.values[s.layer], c.rows(s.v, n)...)
	keys, values, q, out := c.keys[s.layer], c.values[s.layer], c.rows(s.q, n), c.rows(s.dst, n)
	width := c.at + n
	if len(c.scores) < n*heads*width {
		c.scores = make([]float32, n*heads*width)
	}
	c.run(func(part, parts int) {
		for task := n * heads * part / parts; task < n*heads*(part+1)/parts; task++ {
			token, head := task/heads, task%heads
			kv := head / (heads / kvHeads)
			last := c.at + token
			first := 0
			if s.window > 0 {
				first = max(0, last-s.window+1)
			}
			query := q[(token*heads+head)*dim:][:dim]
			row := c.scores[task*width:][:last+1]
			top := math.Inf(-1)
			for i := first; i <= last; i++ {
				score := float64(dot(query, keys[(i*kvHeads+kv)*dim:][:dim])) * s.scale
				if s.limit > 0 {
					score = math.Tanh(score/s.limit) * s.limit
				}
				row[i] = float32(score)
				top = max(top, score)
			}
			total := 0.0
			for i := first; i <= last; i++ {
				e := math.Exp(float64(row[i]) - top)
				row[i] = float32(e)
				total += e
			}
			to := out[(token*heads+head)*dim:][:dim]
			clear(to)
			for i := first; i <= last; i++ {
				weight := row[i] / float32(total)
				for d, value := range values[(i*kvHeads+kv)*dim:][:dim] {
					to[d] += weight * value
				}
			}
		}
	})
}

func (c *cpu) rotate(x []float32, n int, s rotate) {
	half := len(s.frequencies.values)
	dim := 2 * half
	for token := range n {
		for i, f := range s.frequencies.values {
			// transformers computes the angle in float32.
			sin, cos := math.Sincos(float64(float32(c.at+token) * f))
			for head := range s.heads {
				h := x[(token*s.heads+head)*dim:][:dim]
				a, b := h[i], h[i+half]
				h[i] = a*float32(cos) - b*float32(sin)
				h[i+half] = b*float32(cos) + a*float32(sin)
			}
		}
	}
}

func dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(a) && i+4 <= len(b); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func normRMS(dst, x, weight []float32, eps float64, shift float32) {
	width := len(weight)
	for ; len(x) >= width; dst, x = dst[width:], x[width:] {
		squares := 0.0
		for _, v := range x[:width] {
			squares += float64(v) * float64(v)
		}
		by := float32(1 / math.Sqrt(squares/float64(width)+eps))
		for i, v := range x[:width] {
			dst[i] = v * by * (weight[i] + shift)
		}
	}
}

func normLayer(dst, x, weight, bias []float32) {
	width := len(weight)
	for ; len(x) >= width; dst, x = dst[width:], x[width:] {
		mean := 0.0
		for _, v := range x[:width] {
			mean += float64(v)
		}
		mean /= float64(width)
		variance := 0.0
		for _, v := range x[:width] {
			variance += (float64(v) - mean) * (float64(v) - mean)
		}
		by := 1 / math.Sqrt(variance/float64(width)+layerNormEps)
		for i, v := range x[:width] {
			dst[i] = float32((float64(v)-mean)*by)*weight[i] + bias[i]
		}
	}
}

// layerNormEps is the default of torch's LayerNorm.
const layerNormEps = 1e-5

func addTo(dst, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] += v
	}
}
