package inference

import (
	"fmt"
	"math"
)

// opt is OPT (transformers' models/opt), with learned positions. opt-350m
// alone has its norms after each part, and embeddings of a width of their own.
type opt struct {
	c                     config
	normBefore            bool
	embed, positions      matrix
	projectIn, projectOut *matrix
	finalNorm, finalBias  []float32 // nil for none
	layers                []optLayer
}

type optLayer struct {
	norm1, norm1Bias, norm2, norm2Bias           []float32
	q, k, v, o, up, down                         matrix
	qBias, kBias, vBias, oBias, upBias, downBias []float32
}

var _ network = (*opt)(nil)

// positionOffset is how many rows OPT leaves free before the first position.
const positionOffset = 2

func newOPT(c config, w *weights) *opt {
	n := &opt{c: c, normBefore: c.NormBefore == nil || *c.NormBefore}
	hidden, embed := c.HiddenSize, c.HiddenSize
	if c.WordEmbedDim != nil && *c.WordEmbedDim > 0 && *c.WordEmbedDim <= maxWidth {
		embed = *c.WordEmbedDim
	}
	const p = "model.decoder."
	n.embed = w.matrix(p+"embed_tokens.weight", c.VocabSize, embed)
	n.positions = w.matrix(p+"embed_positions.weight", c.MaxPositions+positionOffset, hidden)
	if embed != hidden {
		in, out := w.matrix(p+"project_in.weight", hidden, embed), w.matrix(p+"project_out.weight", embed, hidden)
		n.projectIn, n.projectOut = &in, &out
	}
	if n.normBefore && !c.RemoveFinalNorm {
		n.finalNorm, n.finalBias = w.vector(p+"final_layer_norm.weight", hidden), w.vector(p+"final_layer_norm.bias", hidden)
	}
	for i := range c.Layers {
		if w.err != nil {
			break
		}
		l := fmt.Sprintf(p+"layers.%d.", i)
		n.layers = append(n.layers, optLayer{
			norm1: w.vector(l+"self_attn_layer_norm.weight", hidden), norm1Bias: w.vector(l+"self_attn_layer_norm.bias", hidden),
			norm2: w.vector(l+"final_layer_norm.weight", hidden), norm2Bias: w.vector(l+"final_layer_norm.bias", hidden),
			q: w.matrix(l+"self_attn.q_proj.weight", hidden, hidden), qBias: w.optional(l+"self_attn.q_proj.bias", hidden),
			k: w.matrix(l+"self_attn.k_proj.weight", hidden, hidden), kBias: w.optional(l+"self_attn.k_proj.bias", hidden),
			v: w.matrix(l+"self_attn.v_proj.weight", hidden, hidden), vBias: w.optional(l+"self_attn.v_proj.bias", hidden),
			o: w.matrix(l+"self_attn.out_proj.weight", hidden, hidden), oBias: w.optional(l+"self_attn.out_proj.bias", hidden),
			up: w.matrix(l+"fc1.weight", c.Intermediate, hidden), upBias: w.optional(l+"fc1.bias", c.Intermediate),
			down: w.matrix(l+"fc2.weight", hidden, c.Intermediate), downBias: w.optional(l+"fc2.bias", hidden),
		})
	}
	return n
}

func (n *opt) forward(s *state, tokens []int32) {
	c, batch := &n.c, len(tokens)
	x, h := s.room("x", batch*c.HiddenSize), s.room("h", batch*c.HiddenSize)
	embedded := x
	if n.projectIn != nil {
		embedded = s.room("embedded", batch*n.embed.cols)
	}
	for i, t := range tokens {
		n.embed.row(embedded[i*n.embed.cols:][:n.embed.cols], t)
	}
	if n.projectIn != nil {
		s.multiply(x, *n.projectIn, embedded, batch, nil)
	}
	for i := range tokens {
		row := h[i*c.HiddenSize:][:c.HiddenSize]
		n.positions.row(row, int32(s.at+i+positionOffset))
	}
	add(x, h)
	scale := 1 / math.Sqrt(float64(*c.HeadDim))
	for i := range n.layers {
		l := &n.layers[i]
		in := x
		if n.normBefore {
			layerNorm(h, x, l.norm1, l.norm1Bias)
			in = h
		}
		q, k, v := s.room("q", batch*c.HiddenSize), s.room("k", batch*c.HiddenSize), s.room("v", batch*c.HiddenSize)
		s.multiply(q, l.q, in, batch, l.qBias)
		s.multiply(k, l.k, in, batch, l.kBias)
		s.multiply(v, l.v, in, batch, l.vBias)
		s.multiply(h, l.o, s.attend(i, q, k, v, batch, scale, 0, 0), batch, l.oBias)
		add(x, h)
		in = x
		if n.normBefore {
			layerNorm(h, x, l.norm2, l.norm2Bias)
			in = h
		} else {
			layerNorm(x, x, l.norm1, l.norm1Bias)
		}
		up := s.room("up", batch*c.Intermediate)
		s.multiply(up, l.up, in, batch, l.upBias)
		for j, v := range up {
			up[j] = max(0, v)
		}
		s.multiply(h, l.down, up, batch, l.downBias)
		add(x, h)
		if !n.normBefore {
			layerNorm(x, x, l.norm2, l.norm2Bias)
		}
	}
	s.at += batch
	s.x = x
}

func (n *opt) head(s *state, hidden []float32) []float32 {
	h := hidden
	if n.finalNorm != nil {
		h = s.room("last", n.c.HiddenSize)
		layerNorm(h, hidden, n.finalNorm, n.finalBias)
	}
	if n.projectOut != nil {
		out := s.room("projected", n.embed.cols)
		s.multiply(out, *n.projectOut, h, 1, nil)
		h = out
	}
	logits := s.room("logits", n.c.VocabSize)
	s.multiply(logits, n.embed, h, 1, nil)
	return logits
}
