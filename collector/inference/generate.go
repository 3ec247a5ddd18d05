package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Settings of a generation.
type Settings struct {
	NewTokens   int     // at most
	EOS         []int32 // tokens that end it; empty to go on to NewTokens
	Temperature float64 // 0: greedy
	TopP        float64 // of the probability that tokens are drawn from; 1 and 0: all of it
	Seed        uint64  // of the draw
}

// maxTemperature is where every token is about as likely as any.
const maxTemperature = 100.0

// Result is what was generated, and when.
type Result struct {
	Tokens []int32         // new ones, the end token with them
	Times  []time.Duration // from the beginning to each token, the prompt's work in the first
}

// Generate goes on with a prompt.
func (m *Model) Generate(ctx context.Context, prompt []int32, o Settings) (Result, error) {
	if len(prompt) == 0 {
		return Result{}, errors.New("the prompt is empty")
	}
	if err := m.check(prompt); err != nil {
		return Result{}, err
	}
	if o.NewTokens < 1 || len(prompt)+o.NewTokens > m.config.MaxPositions {
		return Result{}, fmt.Errorf("%d tokens and %d new ones: the model has %d positions", len(prompt), o.NewTokens, m.config.MaxPositions)
	}
	if !(o.Temperature >= 0 && o.Temperature <= maxTemperature) || !(o.TopP >= 0 && o.TopP <= 1) {
		return Result{}, fmt.Errorf("temperature %g and top-p %g: at most %g and 1", o.Temperature, o.TopP, maxTemperature)
	}
	if o.TopP == 0 {
		o.TopP = 1
	}
	sampler := newSampler(o)
	begun := time.Now()
	seq, err := m.begin(len(prompt) + o.NewTokens)
	if err != nil {
		return Result{}, err
	}
	r, err := goOn(ctx, seq, prompt, o, sampler, begun)
	return r, errors.Join(err, seq.close())
}

func goOn(ctx context.Context, seq processor, prompt []int32, o Settings, sampler *sampler, begun time.Time) (r Result, err error) {
	for next := prompt; ; {
		last := 0
		for part := range slices.Chunk(next, maxBatch) {
			if err := ctx.Err(); err != nil {
				return r, err
			}
			if err := seq.forward(part); err != nil {
				return r, err
			}
			last = len(part) - 1
		}
		logits, err := seq.logits(last)
		if err != nil {
			return r, err
		}
		token := sampler.choose(logits)
		r.Tokens = append(r.Tokens, token)
		r.Times = append(r.Times, time.Since(begun))
		if len(r.Tokens) == o.NewTokens || slices.Contains(o.EOS, token) {
			return r, nil
		}
		next = []int32{token}
	}
}

// Logits are those after each token of a sequence: len(tokens) × vocabulary.
func (m *Model) Logits(ctx context.Context, tokens []int32) (all [][]float32, err error) {
	if err := m.check(tokens); err != nil {
		return nil, err
	}
	if len(tokens) > m.config.MaxPositions {
		return nil, fmt.Errorf("%d tokens: the model has %d positions", len(tokens), m.config.MaxPositions)
	}
	seq, err := m.begin(len(tokens))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, seq.close()) }()
	for part := range slices.Chunk(tokens, maxBatch) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := seq.forward(part); err != nil {
			return nil, err
		}
		for i := range part {
			logits, err := seq.logits(i)
			if err != nil {
				return nil, err
			}
			all = append(all, slices.Clone(logits))
		}
	}
	return all, nil
}

// argmax is the first of the largest.
func argmax(v []float32) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}
