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
	q, k, v, o          matrix
	qBias, kBias, vBias []float32 // nil where there is none
	oBias               []float32
	qNorm, kNorm        []float32 // Qwen3's
	gate, up, down      matrix
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
	hidden, q, kv := c.HiddenSize, c.Heads**c.HeadDim, *c.KVHeads**c.HeadDim
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
			q:         w.matrix(p+"self_attn.q_proj.weight", q, hidden),
			k:         w.matrix(p+"self_attn.k_proj.weight", kv, hidden),
			v:         w.matrix(p+"self_attn.v_proj.weight", kv, hidden),
			o:         w.matrix(p+"self_attn.o_proj.weight", hidden, q),
			qBias:     w.optional(p+"self_attn.q_proj.bias", q),
			kBias:     w.optional(p+"self_attn.k_proj.bias", kv),
			vBias:     w.optional(p+"self_attn.v_proj.bias", kv),
			oBias:     w.optional(p+"self_attn.o_proj.bias", hidden),
			qNorm:     w.optional(p+"self_attn.q_norm.weight", *c.HeadDim),
			kNorm:     w.optional(p+"self_attn.k_norm.weight", *c.HeadDim),
			gate:      w.matrix(p+"mlp.gate_proj.weight", c.Intermediate, hidden),
			up:        w.matrix(p+"mlp.up_proj.weight", c.Intermediate, hidden),
			down:      w.matrix(p+"mlp.down_proj.weight", hidden, c.Intermediate),
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
		q, k, v := s.room("q", batch*l.q.rows), s.room("k", batch*l.k.rows), s.room("v", batch*l.v.rows)
		s.multiply(q, l.q, h, batch, l.qBias)
		s.multiply(k, l.k, h, batch, l.kBias)
		s.multiply(v, l.v, h, batch, l.vBias)
		if l.qNorm != nil {
			rmsNorm(q, q, l.qNorm, n.eps, 0)
			rmsNorm(k, k, l.kNorm, n.eps, 0)
		}
		s.rotate(q, batch, c.Heads, n.frequencies)
		s.rotate(k, batch, *c.KVHeads, n.frequencies)
		s.multiply(h, l.o, s.attend(i, q, k, v, batch, scale, 0, c.window(i)), batch, l.oBias)
		add(x, h)
		rmsNorm(h, x, l.postNorm, n.eps, 0)
		gated(s, h, l.gate, l.up, l.down, batch, silu)
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

// gated replaces h by down(activation(gate·h) × up·h).
func gated(s *state, h []float32, gate, up, down matrix, batch int, activation func(float64) float64) {
	g, u := s.room("gate", batch*gate.rows), s.room("up", batch*up.rows)
	s.multiply(g, gate, h, batch, nil)
	s.multiply(u, up, h, batch, nil)
	for i, v := range g {
		u[i] *= float32(activation(float64(v)))
	}
	s.multiply(h, down, u, batch, nil)
}

func silu(v float64) float64 { return v / (1 + math.Exp(-v)) }
