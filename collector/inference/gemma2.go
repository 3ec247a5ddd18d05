package inference

import (
	"fmt"
	"math"
)

// newGemma2 returns the program of Gemma 2, which has norms before and after
// each part, soft caps on scores and logits, and a window in every other layer
// (models/gemma2 in transformers).
func newGemma2(c *config, w *weights) *program {
	eps, scores, limit := 1e-6, 1/math.Sqrt(256), 0.0
	if c.RMSNormEps != nil {
		eps = *c.RMSNormEps
	}
	if c.QueryScalar != nil {
		scores = 1 / math.Sqrt(*c.QueryScalar)
	}
	if c.AttentionCap != nil {
		limit = *c.AttentionCap
	}
	hidden := c.HiddenSize
	table := w.matrix("model.embed_tokens.weight", c.VocabSize, hidden)
	p := &program{}
	x, h := p.slot(hidden), p.slot(hidden)
	r := p.rotary(c, w.frequencies(c), eps, scores, limit)
	p.do(embed{x, table}, scale{x, float32(math.Sqrt(float64(hidden)))})
	for i := range c.Layers {
		if w.err != nil {
			break
		}
		l := fmt.Sprintf("model.layers.%d.", i)
		norm := func(dst, x slot, name string) step {
			return rmsNorm{dst, x, w.vector(l+name+"_layernorm.weight", hidden), eps, 1}
		}
		p.do(norm(h, x, "input"))
		r.attention(p, i, w.attention(l+"self_attn.", c), h)
		p.do(norm(h, h, "post_attention"), add{x, h}, norm(h, x, "pre_feedforward"))
		r.mlp(p, w.gatedMLP(l+"mlp.", c), h, geluTanh)
		p.do(norm(h, h, "post_feedforward"), add{x, h})
	}
	p.hidden, p.last, p.logits = x, p.slot(hidden), p.slot(c.VocabSize)
	p.head = []step{rmsNorm{p.last, p.last, w.vector("model.norm.weight", hidden), eps, 1}, multiply{p.logits, table, p.last, nil}}
	if c.FinalCap != nil {
		p.head = append(p.head, softCap{p.logits, *c.FinalCap})
	}
	return p
}
