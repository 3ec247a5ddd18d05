package inference

import "math"

// maxBatch is how many tokens of a prompt go through the network together.
const maxBatch = 16

// state is what a sequence needs besides the weights.
type state struct {
	*team
	c     *config
	at    int         // tokens that the cache holds
	keys  [][]float32 // a layer's, one token after another
	vals  [][]float32
	x     []float32 // hidden values of the batch
	rooms map[string][]float32
}

func newState(c *config, t *team) *state {
	return &state{team: t, c: c, keys: make([][]float32, c.Layers), vals: make([][]float32, c.Layers), rooms: map[string][]float32{}}
}

// room is working memory of a name, used anew for every layer.
func (s *state) room(name string, n int) []float32 {
	if cap(s.rooms[name]) < n {
		s.rooms[name] = make([]float32, n)
	}
	return s.rooms[name][:n]
}

// attend adds the batch's keys and values to the layer's cache and replaces
// each query by the weighted values that it asks for. limit, if not 0, caps
// the scores softly; window, if not 0, is how far back a token sees.
func (s *state) attend(layer int, q, k, v []float32, n int, scale, limit float64, window int) []float32 {
	heads, kvHeads, dim := s.c.Heads, *s.c.KVHeads, *s.c.HeadDim
	s.keys[layer] = append(s.keys[layer], k[:n*kvHeads*dim]...)
	s.vals[layer] = append(s.vals[layer], v[:n*kvHeads*dim]...)
	keys, vals := s.keys[layer], s.vals[layer]
	out := s.room("attended", n*heads*dim)
	width := s.at + n
	scores := s.room("scores", n*heads*width)
	// Each pair of a token and a head is a task of its own.
	s.run(func(part, parts int) {
		for task := n * heads * part / parts; task < n*heads*(part+1)/parts; task++ {
			token, head := task/heads, task%heads
			kv := head / (heads / kvHeads)
			last := s.at + token
			first := 0
			if window > 0 {
				first = max(0, last-window+1)
			}
			query := q[(token*heads+head)*dim:][:dim]
			row := scores[task*width:][:last+1]
			top := math.Inf(-1)
			for i := first; i <= last; i++ {
				score := float64(dot(query, keys[(i*kvHeads+kv)*dim:][:dim])) * scale
				if limit > 0 {
					score = math.Tanh(score/limit) * limit
				}
				row[i] = float32(score)
				top = max(top, score)
			}
			sum := 0.0
			for i := first; i <= last; i++ {
				e := math.Exp(float64(row[i]) - top)
				row[i] = float32(e)
				sum += e
			}
			to := out[(token*heads+head)*dim:][:dim]
			clear(to)
			for i := first; i <= last; i++ {
				weight := row[i] / float32(sum)
				for d, value := range vals[(i*kvHeads+kv)*dim:][:dim] {
					to[d] += weight * value
				}
			}
		}
	})
	return out
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

// rotate turns the heads of each token by its position's angles, the first
// half of a head against the second (Su et al., "RoFormer", 2021, in the order
// of transformers' rotate_half).
func (s *state) rotate(x []float32, n, heads int, frequencies []float64) {
	dim := *s.c.HeadDim
	half := dim / 2
	for token := range n {
		for i, f := range frequencies {
			// transformers computes the angle in float32.
			sin, cos := math.Sincos(float64(float32(s.at+token) * float32(f)))
			for head := range heads {
				h := x[(token*heads+head)*dim:][:dim]
				a, b := h[i], h[i+half]
				h[i] = a*float32(cos) - b*float32(sin)
				h[i+half] = b*float32(cos) + a*float32(sin)
			}
		}
	}
}

// rmsNorm normalises vectors of len(weight) values that follow one another
// (Zhang and Sennrich, 2019). shift is added to the weights: Gemma keeps them
// around nought.
func rmsNorm(dst, x, weight []float32, eps float64, shift float32) {
	width := len(weight)
	for ; len(x) >= width; dst, x = dst[width:], x[width:] {
		sum := 0.0
		for _, v := range x[:width] {
			sum += float64(v) * float64(v)
		}
		scale := float32(1 / math.Sqrt(sum/float64(width)+eps))
		for i, v := range x[:width] {
			dst[i] = v * scale * (weight[i] + shift)
		}
	}
}

// layerNorm normalises vectors (Ba, Kiros and Hinton, 2016), with the epsilon
// of torch.
func layerNorm(dst, x, weight, bias []float32) {
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
		scale := 1 / math.Sqrt(variance/float64(width)+1e-5)
		for i, v := range x[:width] {
			dst[i] = float32((float64(v)-mean)*scale)*weight[i] + bias[i]
		}
	}
}

func add(dst, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] += v
	}
}
