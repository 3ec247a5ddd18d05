package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sllmq/sllmq/internal/pyjson"
)

// sidecar is a small file that accompanies the tensors, such as config.json.
type sidecar struct {
	name string
	size int64  // bytes
	path string // of the file to copy, or
	data []byte // the content
}

// newSidecar returns a sidecar with the given content.
func newSidecar(name string, data []byte) sidecar {
	return sidecar{name: name, size: int64(len(data)), data: data}
}

// content returns what the file holds or will hold.
func (s sidecar) content() ([]byte, error) {
	if s.path == "" {
		return s.data, nil
	}
	b, err := readBounded(s.path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.path, err)
	}
	return b, nil
}

// fileSidecar returns the sidecar that copies a file of a folder, and false if
// there is none.
func fileSidecar(dir, name string) (sidecar, bool) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return sidecar{}, false
	}
	return sidecar{name: name, size: info.Size(), path: path}, true
}

// configName is the model's configuration.
const configName = "config.json"

// isSidecar reports whether Hugging Face's libraries or ServerlessLLM's loader
// write a file of that name beside the tensors.
func isSidecar(name string) bool {
	switch name {
	case configName, "generation_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt",
		"spiece.model", "sentencepiece.bpe.model", modulesName, tiedModulesName:
		return true
	}
	if strings.HasSuffix(name, safeTensorsExt) {
		return false
	}
	for _, prefix := range []string{"tokenizer", "vocab", "chat_template"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// sidecars lists the folder's sidecars: the configuration and the tokenizer.
func (l *local) sidecars() []sidecar {
	var list []sidecar
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil // the folder was readable a moment ago; check reports what vanished
	}
	for _, e := range entries {
		if !isSidecar(e.Name()) {
			continue
		}
		if s, ok := fileSidecar(l.dir, e.Name()); ok {
			list = append(list, s)
		}
	}
	return list
}

// sidecarsAs returns the sidecars, with config.json naming the type that the
// tensors are converted to.
func (l *local) sidecarsAs(dtype string) ([]sidecar, error) {
	list := l.sidecars()
	for i, s := range list {
		if s.name != configName {
			continue
		}
		b, err := s.content()
		if err != nil {
			return nil, err
		}
		var config map[string]json.RawMessage
		if err := pyjson.Unmarshal(b, &config); err != nil {
			return nil, fmt.Errorf("read %s: %w", s.path, corrupt("%v", err))
		}
		if config == nil {
			return nil, fmt.Errorf("read %s: %w", s.path, corrupt("it is not a JSON object"))
		}
		quoted := json.RawMessage(`"` + dtype + `"`)
		_, newer := config["dtype"]
		_, older := config["torch_dtype"]
		if newer || !older {
			config["dtype"] = quoted
		}
		if older {
			config["torch_dtype"] = quoted
		}
		if b, err = json.MarshalIndent(config, "", "  "); err != nil {
			return nil, fmt.Errorf("make %s: %w", configName, err)
		}
		list[i] = newSidecar(configName, pyjson.Restore(b))
	}
	return list, nil
}
