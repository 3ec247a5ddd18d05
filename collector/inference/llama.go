package inference

import (
	"fmt"
	"math"
)

// llama is the architecture of Llama 2 and 3, Mistral, Qwen2 and Qwen3, which
// differ in biases, in the norms of queries and keys, and in their attention's
// window: transformers' models/llama, mistral, qwen2 and qwen3.
type llama struct {
	c           config
	frequencies []float64
	eps         float64
	embed, out  matrix
	norm        []float32
	layers      []llamaLayer
}

type llamaLayer struct {
	inputNorm, postNorm []float32
	attention           attention
	mlp                 gatedMLP
}

var _ network = (*llama)(nil)

func newLlama(c config, w *weights) *llama {
	n := &llama{c: c, eps: 1e-6}
	if c.RMSNormEps != nil {
		n.eps = *c.RMSNormEps
	}
	var err error
	if n.frequencies, err = c.frequencies(); err != nil && w.err == nil {
		w.err = err
	}
	hidden := c.HiddenSize
	n.embed = w.matrix("model.embed_tokens.weight", c.VocabSize, hidden)
	n.norm = w.vector("model.norm.weight", hidden)
	n.out = n.embed
	if w.has("lm_head.weight") {
		n.out = w.matrix("lm_head.weight", c.VocabSize, hidden)
	} else if c.TieEmbeddings == nil || !*c.TieEmbeddings {
		w.fail("the checkpoint has no tensor lm_head.weight, and config.json does not tie it to the embedding")
	}
	for i := range c.Layers {
		if w.err != nil {
			break // what is missing once is missing in each
		}
		p := fmt.Sprintf("model.layers.%d.", i)
		n.layers = append(n.layers, llamaLayer{
			inputNorm: w.vector(p+"input_layernorm.weight", hidden),
			postNorm:  w.vector(p+"post_attention_layernorm.weight", hidden),
			attention: w.attention(p+"self_attn.", &c),
			mlp:       w.gatedMLP(p+"mlp.", &c),
		})
	}
	return n
}

func (n *llama) forward(s *state, tokens []int32) {
	c, batch := &n.c, len(tokens)
	x := s.room("x", batch*c.HiddenSize)
	for i, t := range tokens {
		n.embed.row(x[i*c.HiddenSize:][:c.HiddenSize], t)
	}
	h := s.room("h", batch*c.HiddenSize)
	scale := 1 / math.Sqrt(float64(*c.HeadDim))
	for i := range n.layers {
		l := &n.layers[i]
		rmsNorm(h, x, l.inputNorm, n.eps, 0)
		l.attention.apply(s, i, h, batch, n.frequencies, n.eps, scale, 0)
		add(x, h)
		rmsNorm(h, x, l.postNorm, n.eps, 0)
		l.mlp.apply(s, h, batch, silu)
		add(x, h)
	}
	s.at += batch
	s.x = x
}

func (n *llama) head(s *state, hidden []float32) []float32 {
	h := s.room("last", n.c.HiddenSize)
	rmsNorm(h, hidden, n.norm, n.eps, 0)
	logits := s.room("logits", n.c.VocabSize)
	s.multiply(logits, n.out, h, 1, nil)
	return logits
}

func silu(v float64) float64 { return v / (1 + math.Exp(-v)) }
