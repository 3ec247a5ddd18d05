package inference

// attention holds the weights of a layer's attention with rotary positions.
type attention struct {
	q, k, v, o                 matrix
	qBias, kBias, vBias, oBias *vector // may be nil
	qNorm, kNorm               *vector // Qwen3's, or nil
}

func (w *weights) attention(p string, c *config) attention {
	hidden, q, kv := c.HiddenSize, c.Heads**c.HeadDim, *c.KVHeads**c.HeadDim
	// transformers ignores the biases of a file whose configuration has none.
	in, out := c.AttentionBias, c.AttentionBias
	if c.architecture == "Qwen2ForCausalLM" {
		in, out = true, false
	}
	return attention{
		q:     w.matrix(p+"q_proj.weight", q, hidden),
		k:     w.matrix(p+"k_proj.weight", kv, hidden),
		v:     w.matrix(p+"v_proj.weight", kv, hidden),
		o:     w.matrix(p+"o_proj.weight", hidden, q),
		qBias: w.bias(in, p+"q_proj.bias", q),
		kBias: w.bias(in, p+"k_proj.bias", kv),
		vBias: w.bias(in, p+"v_proj.bias", kv),
		oBias: w.bias(out, p+"o_proj.bias", hidden),
		qNorm: w.optional(p+"q_norm.weight", *c.HeadDim),
		kNorm: w.optional(p+"k_norm.weight", *c.HeadDim),
	}
}

// rotary is what the layers of a network with rotary positions share.
type rotary struct {
	c                 *config
	frequencies       *vector
	eps               float64
	scale, limit      float64 // of attend
	q, k, v, attended slot
	gate, up          slot
}

func (p *program) rotary(c *config, frequencies *vector, eps, scale, limit float64) rotary {
	q, kv := c.Heads**c.HeadDim, *c.KVHeads**c.HeadDim
	return rotary{
		c: c, frequencies: frequencies, eps: eps, scale: scale, limit: limit,
		q: p.slot(q), k: p.slot(kv), v: p.slot(kv), attended: p.slot(q),
		gate: p.slot(c.Intermediate), up: p.slot(c.Intermediate),
	}
}

// attention appends the steps of a layer's attention, which replace h's values.
func (r rotary) attention(p *program, layer int, a attention, h slot) {
	p.do(multiply{r.q, a.q, h, a.qBias}, multiply{r.k, a.k, h, a.kBias}, multiply{r.v, a.v, h, a.vBias})
	if a.qNorm != nil {
		p.do(rmsNorm{r.q, r.q, a.qNorm, r.eps, 0})
	}
	if a.kNorm != nil {
		p.do(rmsNorm{r.k, r.k, a.kNorm, r.eps, 0})
	}
	p.do(rotate{r.q, r.c.Heads, r.frequencies}, rotate{r.k, *r.c.KVHeads, r.frequencies},
		attend{dst: r.attended, q: r.q, k: r.k, v: r.v, layer: layer, heads: r.c.Heads, kvHeads: *r.c.KVHeads, size: *r.c.HeadDim,
			scale: r.scale, limit: r.limit, window: r.c.window(layer)},
		multiply{h, a.o, r.attended, a.oBias})
}

// gatedMLP holds the weights of down · (activation(gate · h) × up · h).
type gatedMLP struct {
	gate, up, down             matrix
	gateBias, upBias, downBias *vector // may be nil
}

func (w *weights) gatedMLP(p string, c *config) gatedMLP {
	return gatedMLP{
		gate: w.matrix(p+"gate_proj.weight", c.Intermediate, c.HiddenSize),
		up:   w.matrix(p+"up_proj.weight", c.Intermediate, c.HiddenSize),
		down: w.matrix(p+"down_proj.weight", c.HiddenSize, c.Intermediate),

		gateBias: w.bias(c.MLPBias, p+"gate_proj.bias", c.Intermediate),
		upBias:   w.bias(c.MLPBias, p+"up_proj.bias", c.Intermediate),
		downBias: w.bias(c.MLPBias, p+"down_proj.bias", c.HiddenSize),
	}
}

// mlp appends the steps of a gatedMLP, which replace h's values.
func (r rotary) mlp(p *program, m gatedMLP, h slot, a activation) {
	p.do(multiply{r.gate, m.gate, h, m.gateBias}, multiply{r.up, m.up, h, m.upBias}, gate{r.up, r.gate, a}, multiply{h, m.down, r.up, m.downBias})
}
