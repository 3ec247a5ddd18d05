package inference

// attention is the weights of a layer's attention with rotated positions.
type attention struct {
	q, k, v, o                 matrix
	qBias, kBias, vBias, oBias []float32 // nil where there is none
	qNorm, kNorm               []float32 // Qwen3's; else nil
}

func (w *weights) attention(p string, c *config) attention {
	hidden, q, kv := c.HiddenSize, c.Heads**c.HeadDim, *c.KVHeads**c.HeadDim
	return attention{
		q:     w.matrix(p+"q_proj.weight", q, hidden),
		k:     w.matrix(p+"k_proj.weight", kv, hidden),
		v:     w.matrix(p+"v_proj.weight", kv, hidden),
		o:     w.matrix(p+"o_proj.weight", hidden, q),
		qBias: w.optional(p+"q_proj.bias", q),
		kBias: w.optional(p+"k_proj.bias", kv),
		vBias: w.optional(p+"v_proj.bias", kv),
		oBias: w.optional(p+"o_proj.bias", hidden),
		qNorm: w.optional(p+"q_norm.weight", *c.HeadDim),
		kNorm: w.optional(p+"k_norm.weight", *c.HeadDim),
	}
}

// apply replaces the batch's hidden values by what the layer attends to. scale
// and limit are attend's.
func (a *attention) apply(s *state, layer int, h []float32, batch int, frequencies []float64, eps, scale, limit float64) {
	q, k, v := s.room("q", batch*a.q.rows), s.room("k", batch*a.k.rows), s.room("v", batch*a.v.rows)
	s.multiply(q, a.q, h, batch, a.qBias)
	s.multiply(k, a.k, h, batch, a.kBias)
	s.multiply(v, a.v, h, batch, a.vBias)
	if a.qNorm != nil {
		rmsNorm(q, q, a.qNorm, eps, 0)
	}
	if a.kNorm != nil {
		rmsNorm(k, k, a.kNorm, eps, 0)
	}
	s.rotate(q, batch, s.c.Heads, frequencies)
	s.rotate(k, batch, *s.c.KVHeads, frequencies)
	s.multiply(h, a.o, s.attend(layer, q, k, v, batch, scale, limit, s.c.window(layer)), batch, a.oBias)
}

// gatedMLP is down(activation(gate·h) × up·h).
type gatedMLP struct{ gate, up, down matrix }

func (w *weights) gatedMLP(p string, c *config) gatedMLP {
	return gatedMLP{
		gate: w.matrix(p+"gate_proj.weight", c.Intermediate, c.HiddenSize),
		up:   w.matrix(p+"up_proj.weight", c.Intermediate, c.HiddenSize),
		down: w.matrix(p+"down_proj.weight", c.HiddenSize, c.Intermediate),
	}
}

// apply replaces the batch's hidden values.
func (m *gatedMLP) apply(s *state, h []float32, batch int, activation func(float64) float64) {
	g, u := s.room("gate", batch*m.gate.rows), s.room("up", batch*m.up.rows)
	s.multiply(g, m.gate, h, batch, nil)
	s.multiply(u, m.up, h, batch, nil)
	for i, v := range g {
		u[i] *= float32(activation(float64(v)))
	}
	s.multiply(h, m.down, u, batch, nil)
}
