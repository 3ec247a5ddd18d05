package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// sidecars are the files that a checkpoint has beside its weights, if the
// repository has them: the configuration and the tokenizer. No code is among
// them.
var sidecars = []string{
	"config.json",
	"generation_config.json",
	"tokenizer.json",
	"tokenizer_config.json",
	"special_tokens_map.json",
	"added_tokens.json",
	"vocab.json",
	"vocab.txt",
	"merges.txt",
	"tokenizer.model",
	"spiece.model",
	"sentencepiece.bpe.model",
	"tiktoken.model",
	"tekken.json",
	"chat_template.jinja",
	"chat_template.json",
}

const maxIndexBytes = 64 << 20

var errNoWeights = errors.New("no safetensors or pytorch_model weights in its top folder")

// missingShards reports an index that names a file which the repository lacks.
type missingShards struct {
	index, shard string
}

func (e missingShards) Error() string {
	return fmt.Sprintf("%s names %q, which is missing", e.index, clip(e.shard))
}

// choose selects a repository's files that form a checkpoint, the weights last.
// It prefers what transformers prefers: a single file over an index, and
// safetensors over pickles. It ignores copies for other programs (original/,
// consolidated.safetensors, onnx/). kind is SafeTensors or PyTorch; read reads
// an index.
func choose(has func(name string) bool, names []string, read func(name string) ([]byte, error)) (kind string, chosen []string, err error) {
	for _, name := range sidecars {
		if has(name) {
			chosen = append(chosen, name)
		}
	}
	for _, w := range []struct{ kind, single string }{
		{SafeTensors, "model.safetensors"},
		{PyTorch, "pytorch_model.bin"},
	} {
		if has(w.single) {
			return w.kind, append(chosen, w.single), nil
		}
		if index := w.single + ".index.json"; has(index) {
			shards, err := shardsOf(has, index, read)
			if err != nil {
				return "", nil, err
			}
			return w.kind, append(append(chosen, index), shards...), nil
		}
		if w.kind == SafeTensors {
			// Unconventional names, unless they are those of another layout.
			if found := topSafeTensors(names, false); len(found) > 0 {
				return w.kind, append(chosen, found...), nil
			}
		}
	}
	if found := topSafeTensors(names, true); len(found) > 0 {
		return SafeTensors, append(chosen, found...), nil
	}
	return "", nil, errNoWeights
}

// topSafeTensors returns the safetensors files in the top folder: either the
// consolidated ones or the others.
func topSafeTensors(names []string, consolidated bool) []string {
	var found []string
	for _, name := range names {
		if strings.HasSuffix(name, ".safetensors") && !strings.Contains(name, "/") &&
			strings.HasPrefix(name, "consolidated") == consolidated && !strings.HasPrefix(name, "adapter_") {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// shardsOf reads an index and checks that its files exist.
func shardsOf(has func(name string) bool, index string, read func(name string) ([]byte, error)) ([]string, error) {
	b, err := read(index)
	if err != nil {
		return nil, err
	}
	var parsed struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &parsed); err != nil {
		return nil, fmt.Errorf("%s is not valid: %w", index, err)
	}
	ext := path.Ext(strings.TrimSuffix(index, ".index.json"))
	shards := map[string]bool{}
	for _, shard := range parsed.WeightMap {
		if path.Ext(shard) != ext || !has(shard) {
			return nil, missingShards{index, shard}
		}
		shards[shard] = true
	}
	if len(shards) == 0 {
		return nil, fmt.Errorf("%s names no files", index)
	}
	return slices.Sorted(maps.Keys(shards)), nil
}
