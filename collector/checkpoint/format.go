package checkpoint

import (
	"fmt"
	"os"
	"strings"
)

// Format is how a checkpoint's files are laid out.
type Format string

// The formats that can be read and written.
const (
	// SafeTensors is Hugging Face's format:
	// https://github.com/huggingface/safetensors#format.
	SafeTensors Format = "safetensors"
	// SLLM is the format of ServerlessLLM's checkpoint store: see sllm.go.
	SLLM Format = "sllm"
)

// Formats returns all formats.
func Formats() []Format { return []Format{SafeTensors, SLLM} }

// ParseFormat returns the format with the given name.
func ParseFormat(name string) (Format, error) {
	for _, f := range Formats() {
		if string(f) == name {
			return f, nil
		}
	}
	return "", fmt.Errorf("unknown format %q: use safetensors or sllm", name)
}

// pyTorch is the format of files that torch.save wrote. Models may come in it,
// but it is neither written nor loaded.
const pyTorch Format = "pytorch"

// detect returns the format of the files in dir, judging by their names. It
// prefers safetensors where there are several, since the others are usually
// derived from it.
func detect(dir string) (Format, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("look for a checkpoint: %w: name the folder that holds the model's files", err)
	}
	var sllm, pickled, extra bool
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, safeTensorsExt) && isExtra(name):
			extra = true
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
	case extra: // and nothing else
		return SafeTensors, nil
	}
	return "", fileError("look for a checkpoint", dir,
		"no .safetensors file, pytorch_model.bin or "+sllmIndexName+" there: name the folder that holds the model's files")
}
