package inference

import (
	"fmt"
	"math"
)

// newLlama returns the program of Llama 2 and 3, Mistral, Qwen2 and Qwen3, which
// differ in biases, in norms of queries and keys, and in the window of attention
// (models/llama, mistral, qwen2 and qwen3 in transformers).
func newLlama(c *config, w *weights) *program {
	eps := 1e-6
	if c.RMSNormEps != nil {
		eps = *c.RMSNormEps
	}
	hidden := c.HiddenSize
	table := w.matrix("model.embed_tokens.weight", c.VocabSize, hidden)
	out := table
	if w.has("lm_head.weight") {
		out = w.matrix("lm_head.weight", c.VocabSize, hidden)
	} else if c.TieEmbeddings == nil || !*c.TieEmbeddings {
		w.fail("the checkpoint has no tensor lm_head.weight, and config.json does not tie it to the embedding")
	}
	p := &program{}
	x, h := p.slot(hidden), p.slot(hidden)
	r := p.rotary(c, w.frequencies(c), eps, 1/math.Sqrt(float64(*c.HeadDim)), 0)
	p.do(embed{x, table})
	for i := range c.Layers {
		if w.err != nil {
			break // the other layers lack the same tensors
		}
		l := fmt.Sprintf("model.layers.%d.", i)
		p.do(rmsNorm{h, x, w.vector(l+"input_layernorm.weight", hidden), eps, 0})
		r.attention(p, i, w.attention(l+"self_attn.", c), h)
		p.do(add{x, h}, rmsNorm{h, x, w.vector(l+"post_attention_layernorm.weight", hidden), eps, 0})
		r.mlp(p, w.gatedMLP(l+"mlp.", c), h, silu)
		p.do(add{x, h})
	}
	p.hidden, p.last, p.logits = x, p.slot(hidden), p.slot(c.VocabSize)
	p.head = []step{rmsNorm{p.last, p.last, w.vector("model.norm.weight", hidden), eps, 0}, multiply{p.logits, out, p.last, nil}}
	return p
}
