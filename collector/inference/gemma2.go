package inference

import (
	"fmt"
	"math"
)

// gemma2 is Gemma 2: norms before and after each part, soft caps on scores and
// logits, and every other layer with a window (transformers' models/gemma2).
type gemma2 struct {
	c           config
	frequencies []float64
	eps, scale  float64
	embed       matrix
	norm        []float32
	layers      []gemma2Layer
}

type gemma2Layer struct {
	inputNorm, postAttention, preMLP, postMLP []float32
	attention                                 attention
	mlp                                       gatedMLP
}

var _ network = (*gemma2)(nil)

func newGemma2(c config, w *weights) *gemma2 {
	n := &gemma2{c: c, eps: 1e-6, scale: 1 / math.Sqrt(256)}
	if c.RMSNormEps != nil {
		n.eps = *c.RMSNormEps
	}
	if c.QueryScalar != nil {
		n.scale = 1 / math.Sqrt(*c.QueryScalar)
	}
	var err error
	if n.frequencies, err = c.frequencies(); err != nil && w.err == nil {
		w.err = err
	}
	hidden := c.HiddenSize
	n.embed = w.matrix("model.embed_tokens.weight", c.VocabSize, hidden)
	n.norm = w.vector("model.norm.weight", hidden)
	for i := range c.Layers {
		if w.err != nil {
			break
		}
		p := fmt.Sprintf("model.layers.%d.", i)
		n.layers = append(n.layers, gemma2Layer{
			inputNorm:     w.vector(p+"input_layernorm.weight", hidden),
			postAttention: w.vector(p+"post_attention_layernorm.weight", hidden),
			preMLP:        w.vector(p+"pre_feedforward_layernorm.weight", hidden),
			postMLP:       w.vector(p+"post_feedforward_layernorm.weight", hidden),
			attention:     w.attention(p+"self_attn.", &c),
			mlp:           w.gatedMLP(p+"mlp.", &c),
		})
	}
	return n
}

func (n *gemma2) forward(s *state, tokens []int32) {
	c, batch := &n.c, len(tokens)
	x := s.room("x", batch*c.HiddenSize)
	for i, t := range tokens {
		n.embed.row(x[i*c.HiddenSize:][:c.HiddenSize], t)
	}
	normalizer := float32(math.Sqrt(float64(c.HiddenSize)))
	for i := range x {
		x[i] *= normalizer
	}
	limit := 0.0
	if c.AttentionCap != nil {
		limit = *c.AttentionCap
	}
	h := s.room("h", batch*c.HiddenSize)
	for i := range n.layers {
		l := &n.layers[i]
		rmsNorm(h, x, l.inputNorm, n.eps, 1)
		l.attention.apply(s, i, h, batch, n.frequencies, n.eps, n.scale, limit)
		rmsNorm(h, h, l.postAttention, n.eps, 1)
		add(x, h)
		rmsNorm(h, x, l.preMLP, n.eps, 1)
		l.mlp.apply(s, h, batch, geluTanh)
		rmsNorm(h, h, l.postMLP, n.eps, 1)
		add(x, h)
	}
	s.at += batch
	s.x = x
}

func (n *gemma2) head(s *state, hidden []float32) []float32 {
	h := s.room("last", n.c.HiddenSize)
	rmsNorm(h, hidden, n.norm, n.eps, 1)
	logits := s.room("logits", n.c.VocabSize)
	s.multiply(logits, n.embed, h, 1, nil)
	if n.c.FinalCap != nil {
		for i, v := range logits {
			logits[i] = float32(math.Tanh(float64(v) / *n.c.FinalCap) * *n.c.FinalCap)
		}
	}
	return logits
}

// geluTanh is the approximation of Hendrycks and Gimpel, 2016.
func geluTanh(v float64) float64 {
	return 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
}
