package inference

import (
	"fmt"
	"math"
)

// positionOffset is the number of unused rows before OPT's first position.
const positionOffset = 2

// newOPT returns the program of OPT, which has learned positions (models/opt in
// transformers). Only opt-350m has its norms after each part, and embeddings
// that are narrower than the hidden size.
func newOPT(c *config, w *weights) *program {
	normBefore := c.NormBefore == nil || *c.NormBefore
	hidden, width := c.HiddenSize, c.HiddenSize
	if c.WordEmbedDim != nil && *c.WordEmbedDim > 0 && *c.WordEmbedDim <= maxWidth {
		width = *c.WordEmbedDim
	}
	const d = "model.decoder."
	p := &program{}
	x, h := p.slot(hidden), p.slot(hidden)
	q, k, v, attended, up := p.slot(hidden), p.slot(hidden), p.slot(hidden), p.slot(hidden), p.slot(c.Intermediate)
	norm := func(dst, x slot, name string) step {
		return layerNorm{dst, x, w.vector(name+".weight", hidden), w.vector(name+".bias", hidden)}
	}

	table := w.matrix(d+"embed_tokens.weight", c.VocabSize, width)
	if width == hidden {
		p.do(embed{x, table})
	} else {
		narrow := p.slot(width)
		p.do(embed{narrow, table}, multiply{x, w.matrix(d+"project_in.weight", hidden, width), narrow, nil})
	}
	p.do(addPosition{x, w.matrix(d+"embed_positions.weight", c.MaxPositions+positionOffset, hidden), positionOffset})
	for i := range c.Layers {
		if w.err != nil {
			break
		}
		l := fmt.Sprintf(d+"layers.%d.", i)
		norm1, norm2 := l+"self_attn_layer_norm", l+"final_layer_norm"
		project := func(dst, from slot, name string, rows, cols int) step {
			return multiply{dst, w.matrix(l+name+".weight", rows, cols), from, w.optional(l+name+".bias", rows)}
		}
		in := x
		if normBefore {
			in = h
			p.do(norm(h, x, norm1))
		}
		p.do(project(q, in, "self_attn.q_proj", hidden, hidden), project(k, in, "self_attn.k_proj", hidden, hidden), project(v, in, "self_attn.v_proj", hidden, hidden),
			attend{dst: attended, q: q, k: k, v: v, layer: i, heads: c.Heads, kvHeads: c.Heads, size: *c.HeadDim, scale: 1 / math.Sqrt(float64(*c.HeadDim))},
			project(h, attended, "self_attn.out_proj", hidden, hidden), add{x, h})
		if normBefore {
			p.do(norm(h, x, norm2))
		} else {
			p.do(norm(x, x, norm1))
		}
		p.do(project(up, in, "fc1", c.Intermediate, hidden), relu{up}, project(h, up, "fc2", hidden, c.Intermediate), add{x, h})
		if !normBefore {
			p.do(norm(x, x, norm2))
		}
	}
	p.hidden, p.last, p.logits = x, p.slot(hidden), p.slot(c.VocabSize)
	last := p.last
	if normBefore && !c.RemoveFinalNorm {
		p.head = append(p.head, norm(last, last, d+"final_layer_norm"))
	}
	if width != hidden {
		narrow := p.slot(width)
		p.head = append(p.head, multiply{narrow, w.matrix(d+"project_out.weight", width, hidden), last, nil})
		last = narrow
	}
	p.head = append(p.head, multiply{p.logits, table, last, nil})
	return p
}
