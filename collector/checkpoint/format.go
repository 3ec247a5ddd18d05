package checkpoint

import (
	"fmt"
	"os"
	"strings"
)

// Format is how a checkpoint's files are laid out.
type Format string

// The formats that are read and written.
const (
	// SafeTensors is Hugging Face's format:
	// https://github.com/huggingface/safetensors#format.
	SafeTensors Format = "safetensors"
	// SLLM is the format of ServerlessLLM's store.
	SLLM Format = "sllm"
)

// Formats lists every format.
func Formats() []Format { return []Format{SafeTensors, SLLM} }

// ParseFormat reads a format's name.
func ParseFormat(name string) (Format, error) {
	for _, f := range Formats() {
		if string(f) == name {
			return f, nil
		}
	}
	return "", fmt.Errorf("unknown format %q: use safetensors or sllm", name)
}

// pyTorch is not a format that is written or loaded, only one that models
// come in: files of torch.save.
const pyTorch Format = "pytorch"

// detect tells what the files in dir are, by their names. Where several kinds
// lie side by side safetensors go first, which others are made from.
func detect(dir string) (Format, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("look for a checkpoint: %w: name the folder that holds the model's files", err)
	}
	var sllm, pickled bool
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, safeTensorsExt), name == shardIndexName:
			return SafeTensors, nil
		case name == sllmIndexName:
			sllm = true
		case isPickle(name), name == pickleIndexName:
			pickled = true
		}
	}
	switch {
	case sllm:
		return SLLM, nil
	case pickled:
		return pyTorch, nil
	}
	return "", fileError("look for a checkpoint", dir,
		"no .safetensors file, no pytorch_model.bin and no "+sllmIndexName+" there: name the folder that holds the model's files")
}
