package worker

import (
	"bytes"
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

	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/inference"
	"github.com/sllmq/sllmq/collector/inference/tokenizer"
	"github.com/sllmq/sllmq/internal/gitlfs"
	"github.com/sllmq/sllmq/internal/pyjson"
	"github.com/sllmq/sllmq/warehouse/record"
)

// maxConfig is the size limit of the JSON files that generation reads, in bytes.
const maxConfig = 16 << 20

// unsupportedError reports that no text can be generated from a load, although
// the load is good: the model, its tokenizer or its device is not supported.
type unsupportedError struct{ err error }

func (e *unsupportedError) Error() string { return e.err.Error() }
func (e *unsupportedError) Unwrap() error { return e.err }

// fillSettings fills in what a generation was asked for.
func (r Generate) fillSettings(row *record.Inference) {
	row.Prompt = &r.Prompt
	row.MaxNewTokens, row.Temperature, row.TopP = new(int64(r.NewTokens)), &r.Temperature, &r.TopP
	if row.Device == nil || *row.Device == device.Host {
		row.Threads = new(int64(r.Threads))
	}
	if r.Temperature > 0 {
		row.Seed = &r.Seed
	}
}

// FailedText is the row of a text that was asked for and did not come because of
// err.
func (r Generate) FailedText(err error) *record.Inference {
	row := &record.Inference{Error: new(err.Error())}
	r.fillSettings(row)
	return row
}

// generate continues a prompt, using the tensors of the last load in place.
func (n *native) generate(ctx context.Context, r Generate) *record.Inference {
	row := &record.Inference{}
	err := n.generateInto(ctx, row, r)
	var unsupported *unsupportedError
	var unknown *inference.UnsupportedError
	switch {
	case err == nil:
	case errors.As(err, &unsupported), errors.As(err, &unknown):
		row.Unsupported = new(err.Error())
	default:
		row.Error = new(fmt.Sprintf("generate from the loaded tensors: %v", err))
	}
	return row
}

func (n *native) generateInto(ctx context.Context, row *record.Inference, r Generate) error {
	text, err := n.text(r.Dir)
	if err != nil {
		return &unsupportedError{err}
	}
	model, on, err := n.model(text.config, r.Threads)
	if err != nil {
		return err
	}
	defer model.Close()
	row.Device = &on
	prompt, err := text.tokenizer.Encode(r.Prompt, true)
	if err != nil {
		return &unsupportedError{err}
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
	row.OutputText = new(text.tokenizer.Decode(append(prompt, made.Tokens...), true))
	return fillText(row, prompt, made)
}

// fillText fills in the figures of a generation. Times begin when the prompt's
// token IDs and the weights are ready, so only the network is measured.
// Throughput is defined as in ServerlessLLM's benchmark: prompt and output tokens
// over the time of the whole generation.
func fillText(row *record.Inference, prompt []int32, made inference.Result) error {
	first, last := made.Times[0], made.Times[len(made.Times)-1]
	row.InputTokens, row.OutputTokens = new(int64(len(prompt))), new(int64(len(made.Tokens)))
	row.EndToEndTimeS, row.TimeToFirstTokenS = new(last.Seconds()), new(first.Seconds())
	row.ThroughputTokensS = new(float64(len(prompt)+len(made.Tokens)) / last.Seconds())
	if n := len(made.Times) - 1; n > 0 {
		row.DecodeTokensPerS = new(float64(n) / (last - first).Seconds())
	}
	var steps []float64
	before := time.Duration(0)
	for _, at := range made.Times {
		steps = append(steps, (at - before).Seconds())
		before = at
	}
	times, err := json.Marshal(steps)
	if err != nil {
		return fmt.Errorf("write the token times: %w", err)
	}
	row.TokenTimesS = new(string(times))
	digest := sha256.New()
	_ = binary.Write(digest, binary.LittleEndian, made.Tokens) // a hash accepts all bytes
	row.TokenIDsSHA256 = new(hex.EncodeToString(digest.Sum(nil)))
	return nil
}

// text is what a model's folder holds about text. It is read once, because all
// replicas of a worker are of one model.
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
	// An unknown architecture is reported even if there is no tokenizer.
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

// endTokens returns the tokens that end a generation: those of
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
		if err := pyjson.Unmarshal(file.data, &says); err != nil {
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
			return nil, fmt.Errorf("read %s: eos_token_id is neither a token nor a list of tokens", file.name)
		}
	}
	if id, ok := t.EOS(); ok {
		return []int32{id}, nil
	}
	return nil, nil
}

// readSmall reads a file of at most maxConfig bytes.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", path, maxConfig)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := gitlfs.Check(bytes.NewReader(b), int64(len(b))); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}
