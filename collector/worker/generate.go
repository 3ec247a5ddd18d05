package worker

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sllmq/sllmq/collector/inference"
	"github.com/sllmq/sllmq/collector/inference/tokenizer"
)

// maxConfig bounds the JSON files that generation reads, in bytes.
const maxConfig = 16 << 20

// unsupportedError is why there can be no generation from a load that is as
// good as any: the model, its tokenizer or its device is not known here.
type unsupportedError struct{ err error }

func (e *unsupportedError) Error() string { return e.err.Error() }
func (e *unsupportedError) Unwrap() error { return e.err }

// generate goes on with a prompt, from the tensors of the last load where they
// lie.
func (n *native) generate(ctx context.Context, r Generate) *Generated {
	g := &Generated{Prompt: r.Prompt}
	err := n.generateInto(ctx, g, r)
	var unsupported *unsupportedError
	var unknown *inference.UnsupportedError
	switch {
	case err == nil:
	case errors.As(err, &unsupported), errors.As(err, &unknown):
		g.Unsupported = err.Error()
	default:
		g.Error = fmt.Sprintf("generate from the loaded tensors: %v", err)
	}
	return g
}

func (n *native) generateInto(ctx context.Context, g *Generated, r Generate) error {
	text, err := n.text(r.Dir)
	if err != nil {
		return &unsupportedError{err}
	}
	model, on, err := n.model(text.config, r.Threads)
	if err != nil {
		return err
	}
	defer model.Close()
	g.Device = on
	prompt, err := text.tokenizer.Encode(r.Prompt, true)
	if err != nil {
		return err
	}
	made, err := model.Generate(ctx, prompt, inference.Settings{
		NewTokens:   r.NewTokens,
		EOS:         text.eos,
		Temperature: r.Temperature,
		TopP:        r.TopP,
		Seed:        uint64(r.Seed),
	})
	if err != nil {
		return err
	}
	g.describe(prompt, made)
	g.Text = text.tokenizer.Decode(append(prompt, made.Tokens...), true)
	return nil
}

// describe takes the figures. Throughput is the reference's: the tokens of
// prompt and output over the time of the whole generation.
func (g *Generated) describe(prompt []int32, made inference.Result) {
	first, last := made.Times[0], made.Times[len(made.Times)-1]
	g.InputTokens, g.OutputTokens = len(prompt), len(made.Tokens)
	g.EndToEndTimeS, g.TimeToFirstTokenS = last.Seconds(), first.Seconds()
	g.ThroughputTokensPerS = float64(len(prompt)+len(made.Tokens)) / last.Seconds()
	if n := len(made.Times) - 1; n > 0 {
		g.DecodeTokensPerS = new(float64(n) / (last - first).Seconds())
	}
	before := time.Duration(0)
	for _, at := range made.Times {
		g.TokenTimesS = append(g.TokenTimesS, (at - before).Seconds())
		before = at
	}
	digest := sha256.New()
	_ = binary.Write(digest, binary.LittleEndian, made.Tokens) // a hash takes all
	g.TokenIDsSHA256 = hex.EncodeToString(digest.Sum(nil))
}

// text is what a model's folder says of text. It is read once: the replicas of
// a worker are of one model.
type text struct {
	config    []byte
	tokenizer *tokenizer.Tokenizer
	eos       []int32
}

func (n *native) text(dir string) (*text, error) {
	if n.textRead {
		return n.textOf, n.textErr
	}
	n.textRead = true
	n.textOf, n.textErr = readText(dir)
	return n.textOf, n.textErr
}

func readText(dir string) (*text, error) {
	config, err := readSmall(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	// An architecture that is not known needs no tokenizer to say so.
	if err := inference.CheckConfig(config); err != nil {
		return nil, err
	}
	t, err := tokenizer.Open(dir)
	if err != nil {
		return nil, err
	}
	eos, err := endTokens(dir, config, t)
	if err != nil {
		return nil, err
	}
	return &text{config, t, eos}, nil
}

// endTokens are the tokens that end a generation: those of
// generation_config.json, else of config.json, else the tokenizer's.
func endTokens(dir string, config []byte, t *tokenizer.Tokenizer) ([]int32, error) {
	generation, err := readSmall(filepath.Join(dir, "generation_config.json"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, file := range []struct {
		name string
		data []byte
	}{{"generation_config.json", generation}, {"config.json", config}} {
		if file.data == nil {
			continue
		}
		var says struct {
			EOS json.RawMessage `json:"eos_token_id"`
		}
		if err := json.Unmarshal(file.data, &says); err != nil {
			return nil, fmt.Errorf("read %s: %w", file.name, err)
		}
		var one int32
		var several []int32
		switch {
		case says.EOS == nil || string(says.EOS) == "null":
			continue
		case json.Unmarshal(says.EOS, &one) == nil:
			return []int32{one}, nil
		case json.Unmarshal(says.EOS, &several) == nil:
			return several, nil
		default:
			return nil, fmt.Errorf("read %s: eos_token_id is no token and no list of tokens", file.name)
		}
	}
	if id, ok := t.EOS(); ok {
		return []int32{id}, nil
	}
	return nil, nil
}

// readSmall reads a file that has no business being large.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, maxConfig)
	}
	return os.ReadFile(path)
}
