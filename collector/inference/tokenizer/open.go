package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sllmq/sllmq/internal/gitlfs"
	"github.com/sllmq/sllmq/internal/pyjson"
)

// Limits of the sizes of files in bytes: a few times the largest published ones.
const (
	maxFile    = 128 << 20 // tokenizer.json, vocab.json, merges.txt
	maxSidecar = 16 << 20  // other files
)

// Open reads the tokenizer in a checkpoint's folder. It fails if the tokenizer
// uses unsupported features.
func Open(dir string) (*Tokenizer, error) {
	t, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the tokenizer in %s: %w", dir, err)
	}
	return t, nil
}

func open(dir string) (*Tokenizer, error) {
	var config modelConfig
	var own settings
	var older namedTokens
	for name, into := range map[string]any{
		"config.json": &config, "tokenizer_config.json": &own, "special_tokens_map.json": &older,
	} {
		if err := readJSON(dir, name, into); err != nil {
			return nil, err
		}
	}
	for i, n := range own.list() {
		if n.Content == "" {
			*n = *older.list()[i]
		}
	}
	name := "tokenizer.json"
	data, err := readFile(dir, name, maxFile)
	if err != nil {
		return nil, err
	}
	var d *definition
	if data != nil {
		if d, err = parseDefinition(data); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	} else {
		name = "vocab.json and merges.txt"
		if d, err = readTwoFiles(dir, &own, config); err != nil {
			return nil, err
		}
	}
	d.addNamed(own.namedTokens)
	t, err := d.build()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t.setEnds(own.namedTokens, config)
	return t, nil
}

// readTwoFiles returns the definition of a tokenizer in vocab.json and
// merges.txt, as transformers does for families with such files. Only here do
// the settings determine whether a text is put between BOS and EOS; otherwise
// tokenizer.json does.
func readTwoFiles(dir string, s *settings, config modelConfig) (*definition, error) {
	d := &definition{}
	if err := familyOf(s, config).apply(d, s); err != nil {
		return nil, err
	}
	vocab, err := readFile(dir, "vocab.json", maxFile)
	if err != nil {
		return nil, err
	}
	merges, err := readFile(dir, "merges.txt", maxFile)
	if err != nil {
		return nil, err
	}
	if vocab == nil || merges == nil {
		return nil, errors.New("it has neither tokenizer.json nor both vocab.json and merges.txt: " +
			"copy them from the model, or write them with transformers' save_pretrained")
	}
	d.Model.Type = "BPE"
	if err := json.Unmarshal(vocab, &d.Model.Vocab); err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	if d.Model.Merges, err = parseMerges(string(merges)); err != nil {
		return nil, fmt.Errorf("merges.txt: %w", err)
	}
	var older map[string]int32
	if err := readJSON(dir, "added_tokens.json", &older); err != nil {
		return nil, err
	}
	if err := d.addListed(*s, older); err != nil {
		return nil, fmt.Errorf("tokenizer_config.json: %w", err)
	}
	return d, d.surround(s)
}

// family is the class of a tokenizer in two files.
type family string

// familyOf returns the family in tokenizer_config.json, or else that of the
// model's type.
func familyOf(s *settings, config modelConfig) family {
	switch {
	case s.Class != "":
		return family(s.Class)
	case slices.Contains([]string{"qwen2", "qwen2_moe", "qwen3", "qwen3_moe"}, config.ModelType):
		return "Qwen2Tokenizer"
	case slices.Contains([]string{"", "gpt2", "opt"}, config.ModelType):
		return "GPT2Tokenizer"
	}
	return family("of model type " + config.ModelType)
}

// apply sets the properties of a family.
func (f family) apply(d *definition, s *settings) error {
	const endOfText = "<|endoftext|>"
	d.Decoder = json.RawMessage(`{"type":"ByteLevel"}`)
	var err error
	switch f {
	case "GPT2Tokenizer", "GPT2TokenizerFast":
		for _, n := range []*namedToken{&s.BOS, &s.EOS, &s.UNK} {
			if n.Content == "" {
				n.Content = endOfText
			}
		}
		d.PreTokenizer, err = json.Marshal(map[string]any{"type": "ByteLevel", "add_prefix_space": s.AddPrefixSpace})
	case "Qwen2Tokenizer", "Qwen2TokenizerFast":
		for _, n := range []*namedToken{&s.EOS, &s.UNK, &s.PAD} {
			if n.Content == "" {
				n.Content = endOfText
			}
		}
		d.Normalizer = json.RawMessage(`{"type":"NFC"}`)
		d.PreTokenizer, err = json.Marshal(map[string]any{"type": "Sequence", "pretokenizers": []any{
			map[string]any{"type": "Split", "pattern": map[string]string{"Regex": qwen2Pattern}, "behavior": "Isolated"},
			map[string]any{"type": "ByteLevel", "add_prefix_space": s.AddPrefixSpace, "use_regex": false},
		}})
	default:
		return fmt.Errorf("tokenizer %s is not supported without tokenizer.json", quote(string(f)))
	}
	return err
}

// surround adds the post-processor that puts BOS and EOS around a text, if the
// settings request it.
func (d *definition) surround(s *settings) error {
	template := component{Type: "TemplateProcessing", SpecialTokens: map[string]templateItem{}}
	add := func(wanted bool, n namedToken) error {
		if !wanted || n.Content == "" {
			return nil
		}
		id, ok := d.Model.Vocab[n.Content]
		for _, a := range d.AddedTokens {
			if a.Content == n.Content {
				id, ok = a.ID, true
			}
		}
		if !ok {
			return fmt.Errorf("tokenizer_config.json: %s, which begins or ends a text, is not a token", quote(n.Content))
		}
		template.Single = append(template.Single, templatePart{SpecialToken: &struct{ ID string }{n.Content}})
		template.SpecialTokens[n.Content] = templateItem{IDs: []int32{id}}
		return nil
	}
	if err := add(s.AddBOS, s.BOS); err != nil {
		return err
	}
	template.Single = append(template.Single, templatePart{Sequence: &struct{ ID string }{"A"}})
	if err := add(s.AddEOS, s.EOS); err != nil {
		return err
	}
	var err error
	d.PostProcessor, err = json.Marshal(template)
	return err
}

// readJSON reads a file into a value, which is unchanged if the file is missing.
func readJSON(dir, name string, into any) error {
	data, err := readFile(dir, name, maxSidecar)
	if err != nil || data == nil {
		return err
	}
	if err := pyjson.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// readFile reads a file of at most limit bytes. It returns nil if the file is
// missing but the folder exists.
func readFile(dir, name string, limit int64) ([]byte, error) {
	path := filepath.Join(dir, name)
	// Check before opening, since opening a pipe would wait.
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); err != nil {
			return nil, err
		}
		return nil, nil
	}
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", name)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s has %d bytes: the limit is %d", name, info.Size(), limit)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := gitlfs.Check(f, info.Size()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	// The file may have grown since.
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s grew past %d bytes", name, limit)
	}
	if data == nil {
		data = []byte{}
	}
	return data, err
}
