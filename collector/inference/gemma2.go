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
	q, k, v, o                                matrix
	gate, up, down                            matrix
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
	hidden, q, kv := c.HiddenSize, c.Heads**c.HeadDim, *c.KVHeads**c.HeadDim
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
			q:             w.matrix(p+"self_attn.q_proj.weight", q, hidden),
			k:             w.matrix(p+"self_attn.k_proj.weight", kv, hidden),
			v:             w.matrix(p+"self_attn.v_proj.weight", kv, hidden),
			o:             w.matrix(p+"self_attn.o_proj.weight", hidden, q),
			gate:          w.matrix(p+"mlp.gate_proj.weight", c.Intermediate, hidden),
			up:            w.matrix(p+"mlp.up_proj.weight", c.Intermediate, hidden),
			down:          w.matrix(p+"mlp.down_proj.weight", hidden, c.Intermediate),
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
		q, k, v := s.room("q", batch*l.q.rows), s.room("k", batch*l.k.rows), s.room("v", batch*l.v.rows)
		s.multiply(q, l.q, h, batch, nil)
		s.multiply(k, l.k, h, batch, nil)
		s.multiply(v, l.v, h, batch, nil)
		s.rotate(q, batch, c.Heads, n.frequencies)
		s.rotate(k, batch, *c.KVHeads, n.frequencies)
		s.multiply(h, l.o, s.attend(i, q, k, v, batch, n.scale, limit, c.window(i)), batch, nil)
		rmsNorm(h, h, l.postAttention, n.eps, 1)
		add(x, h)
		rmsNorm(h, x, l.preMLP, n.eps, 1)
		gated(s, h, l.gate, l.up, l.down, batch, geluTanh)
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
