package inference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Settings are the parameters of Generate.
type Settings struct {
	NewTokens   int     // the most to generate, at least 1
	EOS         []int32 // tokens that end the text; if empty, generate NewTokens
	Temperature float64 // of sampling, up to 100; 0 is greedy
	TopP        float64 // sample from the likeliest tokens with this total probability; 0 means 1
	Seed        uint64  // of sampling
}

// maxTemperature makes all tokens about equally likely.
const maxTemperature = 100.0

// Result is a generated text and its timing.
type Result struct {
	Tokens []int32         // the new tokens, including the one that ended the text
	Times  []time.Duration // from the call to each token; the first includes the prompt
}

// Generate continues a prompt of at least one token, as far as the model has
// positions. The error is an *UnsupportedError if the model cannot continue the
// prompt. If ctx ends, it returns
// ctx's error with the tokens so far.
func (m *Model) Generate(ctx context.Context, prompt []int32, o Settings) (Result, error) {
	if len(prompt) == 0 {
		return Result{}, errors.New("the prompt is empty")
	}
	if err := m.check(prompt); err != nil {
		return Result{}, err
	}
	if o.NewTokens < 1 {
		return Result{}, fmt.Errorf("cannot generate %d tokens", o.NewTokens)
	}
	if len(prompt) >= m.config.MaxPositions {
		return Result{}, &UnsupportedError{fmt.Sprintf("a prompt of %d tokens: the model has %d positions", len(prompt), m.config.MaxPositions)}
	}
	o.NewTokens = min(o.NewTokens, m.config.MaxPositions-len(prompt))
	if !(o.Temperature >= 0 && o.Temperature <= maxTemperature) || !(o.TopP >= 0 && o.TopP <= 1) {
		return Result{}, fmt.Errorf("temperature %g and top-p %g: use at most %g and 1", o.Temperature, o.TopP, maxTemperature)
	}
	if o.TopP == 0 {
		o.TopP = 1
	}
	sampler := newSampler(o)
	begun := time.Now()
	seq, err := m.newProcessor(len(prompt) + o.NewTokens)
	if err != nil {
		return Result{}, err
	}
	r, err := generate(ctx, seq, prompt, o, sampler, begun)
	return r, errors.Join(err, seq.close())
}

func generate(ctx context.Context, seq processor, prompt []int32, o Settings, sampler *sampler, begun time.Time) (r Result, err error) {
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

// Logits returns the logits after each token of a sequence, with shape
// [len(tokens), vocabulary size].
func (m *Model) Logits(ctx context.Context, tokens []int32) (all [][]float32, err error) {
	if err := m.check(tokens); err != nil {
		return nil, err
	}
	if len(tokens) > m.config.MaxPositions {
		return nil, fmt.Errorf("%d tokens: the model has %d positions", len(tokens), m.config.MaxPositions)
	}
	seq, err := m.newProcessor(len(tokens))
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
