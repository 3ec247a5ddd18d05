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
)

// Bounds on the sizes of files, in bytes: a few times the largest that are
// published.
const (
	maxFile    = 128 << 20 // tokenizer.json, vocab.json, merges.txt
	maxSidecar = 16 << 20  // the others
)

// Open reads the tokenizer in a checkpoint's folder.
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
	t.name(own.namedTokens, config)
	return t, nil
}

// readTwoFiles makes a definition of vocab.json and merges.txt, as
// transformers does for the families that ship these. BOS and EOS are put
// around a text if the settings say so, which they have no say in beside a
// tokenizer.json.
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
		return nil, errors.New("there is no tokenizer.json, nor both of vocab.json and merges.txt: " +
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

// family is a kind of tokenizer that comes as two files.
type family string

// familyOf tells the family by its name in tokenizer_config.json, else by the
// model's.
func familyOf(s *settings, config modelConfig) family {
	switch {
	case s.Class != "":
		return family(s.Class)
	case slices.Contains([]string{"qwen2", "qwen2_moe", "qwen3", "qwen3_moe"}, config.ModelType):
		return "Qwen2Tokenizer"
	case slices.Contains([]string{"", "gpt2", "opt"}, config.ModelType):
		return "GPT2Tokenizer"
	}
	return family("of " + config.ModelType)
}

// apply sets what a family has in common.
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
		return fmt.Errorf("there is no tokenizer.json, and without it a tokenizer %s is not supported", quote(string(f)))
	}
	return err
}

// surround puts BOS and EOS around a text where the settings ask for it.
func (d *definition) surround(s *settings) error {
	template := component{Type: "TemplateProcessing", SpecialTokens: map[string]templateItem{}}
	add := func(asked bool, n namedToken) error {
		if !asked || n.Content == "" {
			return nil
		}
		id, ok := d.Model.Vocab[n.Content]
		for _, a := range d.AddedTokens {
			if a.Content == n.Content {
				id, ok = a.ID, true
			}
		}
		if !ok {
			return fmt.Errorf("tokenizer_config.json: %s is to stand at an end of each text, and is no token", quote(n.Content))
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

// readJSON reads a file into a value, which stays as it is if there is none.
func readJSON(dir, name string, into any) error {
	data, err := readFile(dir, name, maxSidecar)
	if err != nil || data == nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// readFile reads a file of at most so many bytes: nil if there is none.
func readFile(dir, name string, most int64) ([]byte, error) {
	path := filepath.Join(dir, name)
	// Looked at before it is opened, since opening a pipe would wait.
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
		return nil, fmt.Errorf("%s is not a file", name)
	case info.Size() > most:
		return nil, fmt.Errorf("%s is of %d bytes: at most %d are read", name, info.Size(), most)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// One byte more than there should be, should it be written to just now.
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s grew past %d bytes", name, most)
	}
	if data == nil {
		data = []byte{}
	}
	return data, err
}
