package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
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

// Detect tells the format of the checkpoint in dir by the names of the files
// there. Where both formats lie side by side it is SafeTensors, which the
// other is made from.
func Detect(dir string) (Format, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("look for a checkpoint: %w", err)
	}
	var sllm bool
	var pickled string
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, safeTensorsExt), name == shardIndexName:
			return SafeTensors, nil
		case name == sllmIndexName:
			sllm = true
		case pickled == "" && isPickle(name):
			pickled = name
		}
	}
	switch {
	case sllm:
		return SLLM, nil
	case pickled != "":
		return "", fileError("read", filepath.Join(dir, pickled),
			"PyTorch's pickled files are not supported yet: save the model as safetensors")
	}
	return "", fileError("look for a checkpoint", dir,
		"no .safetensors file and no "+sllmIndexName+" there: name the folder that holds the model's files")
}

// isPickle knows the endings of PyTorch's own files.
func isPickle(name string) bool {
	switch filepath.Ext(name) {
	case ".bin", ".pt", ".pth", ".ckpt":
		return true
	}
	return false
}
